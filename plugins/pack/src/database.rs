//! Databases that the host opens: it does the work, this plugin decides what to ask for and
//! says what came of it.

pub mod pack;
pub mod recover;
pub mod verify;
