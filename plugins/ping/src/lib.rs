//! Asks whether what should answer does: over HTTP, TCP, TLS, DNS and ICMP, each within its
//! deadline, and looks at files, space, processes, and databases of this machine.
//!
//! [`config`] says what is expected, [`question`] and [`round`] ask, [`verdict`] and
//! [`local`] judge single answers, [`standing`] what they mean after those before, [`check`]
//! and [`report`] all of it together; [`holds`] knows when a failure means nothing, [`alerts`] tells
//! people, and [`history`] how it was.

mod alerts;
mod check;
mod config;
mod finding;
mod history;
mod holds;
mod local;
mod question;
mod report;
mod round;
mod standing;
mod verdict;

#[cfg(test)]
mod tests;

use mhost_sdk::{Access, Action, Capability, Plugin};

/// What this plugin is, and what it can do.
pub fn plugin() -> Plugin {
    let check = Action::new(
        "check",
        "Asks every target, and fails when one is down",
        check::check,
    )
    .may_use(
        Capability::Network,
        Access::Looks,
        "to ask the targets: an origin for each, such as `https://example.org`, \
             `tcp://db.example.org:5432`, `tls://mail.example.org:993`, `dns://example.org`, \
             `icmp://gateway`",
    )
    .may_use(
        Capability::Secrets,
        Access::Looks,
        "to authorise itself at targets with a `bearer_secret` or `basic_auth`",
    )
    .may_use(
        Capability::Directories,
        Access::Looks,
        "to look at the age and size of files, and at free space",
    )
    .may_use(
        Capability::Processes,
        Access::Looks,
        "to look whether the process of a pid file lives",
    )
    .may_use(Capability::Databases, Access::Looks, "to verify databases");
    Plugin::new(
        "ping",
        env!("CARGO_PKG_VERSION"),
        "Checks that web servers, ports, certificates, names, and files are as they should be",
    )
    .action(check)
    .action(Action::new(
        "report",
        "Tells uptime and latencies over an hour, a day and a month",
        history::report,
    ))
}

mhost_sdk::export!(plugin);
