//! `mhost import`: what other programs are configured to do, as tasks.

mod blackbox;
mod logrotate;

use clap::Subcommand;

use super::Context;
use crate::exit::Outcomes;

#[derive(Subcommand)]
pub enum Command {
    /// Modules of Prometheus' blackbox_exporter (http, tcp, dns, icmp) as a task of the plugin ping
    Blackbox(blackbox::Blackbox),
    /// Tasks from a configuration of logrotate, with the smallest grants and schedules
    Logrotate(logrotate::Logrotate),
}

pub fn run(command: Command, context: &Context) -> Outcomes<u8> {
    match command {
        Command::Blackbox(args) => blackbox::run(args, &context.output),
        Command::Logrotate(args) => logrotate::run(args, context),
    }
}
