//! A live Zope, packed by its own server over HTTP: the one way that is safe while it runs.
//!
//! The control panel answers a redirect whatever comes of it, and says in the address whether it packed: that is what
//! is judged, not the status.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use mhost_sdk::http::{Request, Response};
use mhost_sdk::progress::Unit;
use mhost_sdk::{Context, Doing as _, Error, Failure, Report};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::json;

use crate::config::Pack;

/// So much of what a server said stands in a message.
const MOST_SHOWN: usize = 200;

/// What a name in a path may hold as it is.
const IN_PATHS: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Where the server is, and which of its databases to pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Site<'t> {
    /// `https://zope.example.org`, with a path where Zope does not stand at the top.
    pub url: &'t str,
    /// As the control panel names it: `main`.
    pub database: &'t str,
    /// The secret that holds `user:password`.
    pub login: &'t str,
}

/// Asks the server to pack, and waits until it has.
pub fn pack(context: &Context, site: Site, config: &Pack) -> Result<Report, Failure> {
    only_for_files(config)?;
    let days = config.before.days(context.now());
    let name = utf8_percent_encode(site.database, IN_PATHS);
    let url = format!(
        "{}/Control_Panel/Database/{name}/manage_pack",
        site.url.trim_end_matches('/')
    );
    let label = format!("the database `{}` of {}", site.database, site.url);
    if context.dry_run() {
        return Ok(Report::new(format!(
            "would ask the server to pack {label} to {days} days"
        ))
        .details(&json!({ "url": url, "days": days })));
    }
    let request = request(context, site, &url, days, config.timeout.duration())?;
    context.report_progress(&format!("{label} is being packed"), 0, None, Unit::Steps);
    let answer = context.fetch(&[request]).pop();
    let answer =
        answer.unwrap_or_else(|| Err(Error::Failed("the host lost the answer".to_owned())));
    let response = answer.doing(|| format!("pack {label}"))?;
    let said = judge(&label, &response)?;
    Ok(Report::new(format!("packed {label}"))
        .metric("days", days)
        .metric("seconds", response.total.as_secs_f64())
        .details(&json!({ "url": url, "server_said": said })))
}

fn only_for_files(config: &Pack) -> Result<(), Failure> {
    let named = [
        ("output", config.output.is_some()),
        ("blobs", config.blobs.is_some()),
        ("gc = false", !config.gc),
    ];
    match named.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((name, _)) => Err(Failure::permanent(format!(
            "`{name}` means nothing to a server: it packs its own files, as its own configuration says; leave it out"
        ))),
    }
}

fn request(
    context: &Context,
    site: Site,
    url: &str,
    days: f64,
    timeout: Duration,
) -> Result<Request, Failure> {
    let login = context.secret(site.login);
    let login = login.doing(|| format!("read the secret `{}`", site.login))?;
    let login = login.trim_end_matches(['\r', '\n']);
    if !login.contains(':') {
        return Err(Failure::permanent(format!(
            "the secret `{}` must hold a user's name, a colon and the password",
            site.login
        )));
    }
    let basic = BASE64_STANDARD.encode(login);
    Ok(
        Request::post(url, format!("days:float={days}").into_bytes())
            .header("authorization", &format!("Basic {basic}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("user-agent", "mhost-pack")
            .timeout(timeout),
    )
}

/// What the server said where it has packed; else what to do about it.
fn judge(label: &str, response: &Response) -> Result<String, Failure> {
    let location = response
        .headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("location"))
        .map(|(_, value)| spaces(value));
    let location = location.unwrap_or_default();
    let said = location
        .split_once("manage_tabs_message=")
        .map(|(_, said)| shown(said));
    match (response.status, said) {
        (300..=399, Some(said)) if said.contains("Database packed to") => Ok(said),
        (300..=399, Some(said)) => Err(Failure::permanent(format!(
            "{label} was not packed, the server said: {said}"
        ))),
        (300..=399, None) => Err(Failure::permanent(format!(
            "{label} was not packed: the server leads to `{}`, as a login page or another address does; correct the \
             address or the secret",
            shown(&location)
        ))),
        (401 | 403, _) => Err(Failure::permanent(format!(
            "{label} was not packed: the server refuses the user of the secret, who needs the role Manager"
        ))),
        (404, _) => Err(Failure::permanent(format!(
            "{label} was not packed: the server knows no such database or control panel; look at `target.zope` and \
             `target.database` (the control panel lists the names)"
        ))),
        (status, _) => {
            let body = shown(&String::from_utf8_lossy(&response.body));
            let message = format!("{label} was not packed: the server answered {status}: {body}");
            Err(match status {
                500.. => Failure::retryable(message),
                _ => Failure::permanent(message),
            })
        }
    }
}

fn spaces(text: &str) -> String {
    let plain = text.replace('+', " ");
    percent_decode_str(&plain).decode_utf8_lossy().into_owned()
}

fn shown(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(MOST_SHOWN).collect()
}
