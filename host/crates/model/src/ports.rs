//! The seams between the engine, which checks grants, and the drivers, which do
//! the work: implemented by `mhost-databases`, `mhost-repositories`,
//! `mhost-remotes` and the host, called by `mhost-engine`.
//!
//! All methods block; the engine calls them off the async threads. They answer
//! with [`Fault`](crate::Fault), and know nothing of grants: by the time one is
//! called, a permit exists.

pub mod around;
pub mod database;
pub mod remote;
pub mod repository;
pub mod run;
