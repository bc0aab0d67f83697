//! mhost: a maintenance host. The composition root and the command line.
//!
//! `app` puts the crates together, `dispatch` owns what runs, `calls` is what can be
//! asked, and `cli` and `service` are two ways of asking.

pub mod app;
pub mod calls;
pub mod cli;
pub mod config;
pub mod demo;
pub mod dispatch;
pub mod execute;
pub mod exit;
pub mod home;
pub mod housekeeping;
pub mod import;
pub mod logrotate;
pub mod plugins;
pub mod post;
pub mod service;
pub mod session;
pub mod signals;
pub mod tighten;
pub mod watch;
