//! mhost-databases
