//! Asks whether what should answer does: over HTTP, TCP, TLS and DNS, each within
//! its deadline. [`config`] says what is expected, [`http`] and [`probe`] ask,
//! [`check`] judges all answers together.

mod check;
mod config;
mod finding;
mod http;
mod probe;

#[cfg(test)]
mod tests;

use mhost_sdk::{Access, Action, Capability, Plugin};

/// What this plugin is, and what it can do.
pub fn plugin() -> Plugin {
    Plugin::new(
        "ping",
        env!("CARGO_PKG_VERSION"),
        "Checks that web servers, ports, certificates and names answer as they should",
    )
    .action(
        Action::new(
            "check",
            "Asks every target, and fails when one is down",
            check::check,
        )
        .requires(
            Capability::Network,
            Access::Looks,
            "to ask the targets: an origin for each, such as `https://example.org`, \
                 `tcp://db.example.org:5432`, `tls://mail.example.org:993`, `dns://example.org`",
        )
        .may_use(
            Capability::Secrets,
            Access::Looks,
            "to authorise itself at targets with a `bearer_secret`",
        ),
    )
}

mhost_sdk::export!(plugin);
