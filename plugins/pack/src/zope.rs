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
    let days = config.before.unwrap_or_default().days(context.now());
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
    let request = request(context, site, &url, days, config.timeout())?;
    context.report_progress(&format!("{label} is being packed"), 0, None, Unit::Steps);
    let answer = context.fetch(&[request]).pop();
    let answer =
        answer.unwrap_or_else(|| Err(Error::Failed("the host lost the answer".to_owned())));
    let response = answer.doing(|| format!("pack {label}"))?;
    let said = judge(&label, days, &response)?;
    Ok(Report::new(format!("packed {label}"))
        .metric("days", days)
        .metric("seconds", response.total.as_secs_f64())
        .details(&json!({ "url": url, "server_said": shown(&said) })))
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
    // In the address and not in a body: a body that is lost on the way would ask for 0 days, and with that for the end of
    // all history. It cannot stand in both places, because Zope makes a list of the two, and fails.
    let url = format!("{url}?days:float={days}");
    Ok(Request::post(&url, Vec::new())
        .header("authorization", &format!("Basic {basic}"))
        .header("content-length", "0")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("user-agent", "mhost-pack")
        .timeout(timeout))
}

/// What the server said where it has packed as asked; else what to do about it.
fn judge(label: &str, days: f64, response: &Response) -> Result<String, Failure> {
    let location = response
        .headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("location"))
        .map_or("", |(_, value)| value.as_str());
    let said = message(location);
    let packed = said.as_deref().and_then(packed_to);
    match (response.status, said) {
        (300..=399, Some(said)) => match packed {
            Some(done) if (done - days).abs() < 1e-6 => Ok(said),
            Some(done) => Err(Failure::permanent(format!(
                "{label} was packed to {done} days and not to {days} as asked, so that history may be lost that was to stay: \
                 look at what lies between mhost and the server, and keep its old file"
            ))),
            None => Err(Failure::permanent(format!(
                "{label} was not packed, the server said: {}",
                shown(&said)
            ))),
        },
        (300..=399, None) => Err(Failure::permanent(format!(
            "{label} was not packed: the server leads to `{}`, as a login page or another address does; correct the \
             address or the secret",
            shown(location)
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

/// The panel's message in the address that the server leads to.
fn message(location: &str) -> Option<String> {
    let (_, query) = location.split_once('?')?;
    let query = query.split('#').next().unwrap_or_default();
    let text = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("manage_tabs_message="))?;
    let plain = text.replace('+', " ");
    Some(percent_decode_str(&plain).decode_utf8_lossy().into_owned())
}

/// To how many days, where the message says that the database was packed: `Database packed to 7.0 days`.
fn packed_to(said: &str) -> Option<f64> {
    let rest = said.trim().strip_prefix("Database packed to ")?;
    rest.strip_suffix(" days")?.trim().parse().ok()
}

fn shown(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(MOST_SHOWN).collect()
}
