//! Alerts, messages and the other tasks.

use serde_json::Value;

use super::{number, text};
use crate::exports::mhost::plugin::plugin::{Context, Failure, Report};
use crate::mhost::plugin::alerts::{self, Attachment, Message, Severity};
use crate::mhost::plugin::{secrets, tasks};
use crate::report;

/// One call, or `count` of them.
pub fn people(_: &Context, config: &Value) -> Result<Report, Failure> {
    let key = text(config, "key");
    match text(config, "verb") {
        "raise" => alerts::raise(key, Severity::Critical, text(config, "text"), None)?,
        "raise-many" => {
            for at in 0..number(config, "count") {
                alerts::raise(
                    &at.to_string(),
                    Severity::Degraded,
                    text(config, "text"),
                    None,
                )?;
            }
        }
        // The secret is read only after it was said.
        "raise-secret" => {
            let details = format!("{{\"said\":\"{}\"}}", text(config, "text"));
            let said = text(config, "text");
            alerts::raise(key, Severity::Critical, said, Some(&details))?;
            secrets::get("password")?;
        }
        "raise-and-panic" => {
            alerts::raise(key, Severity::Critical, "down", None)?;
            panic!("half-way");
        }
        "resolve" => alerts::resolve(key, "well")?,
        "send" => {
            let size = usize::try_from(number(config, "count")).unwrap_or_default();
            let attachment = Attachment {
                name: text(config, "file").into(),
                media_type: "text/plain".into(),
                content: vec![b'x'; size],
            };
            let message = Message {
                subject: text(config, "text").into(),
                text: "text".into(),
                attachments: vec![attachment],
            };
            alerts::send(text(config, "name"), key, &message)?;
        }
        "holders" => {
            let held = tasks::holders(key)?;
            let names: Vec<String> = held.into_iter().map(|hold| hold.task).collect();
            return Ok(report(names.join(","), &[]));
        }
        "holders-of" => {
            let count = number(config, "count") as usize;
            let targets = vec![key.to_owned(); count];
            let held = tasks::holders_of(&targets)?;
            let held = held.iter().filter(|holds| holds.len() == 1).count();
            return Ok(report(held.to_string(), &[]));
        }
        "status" => drop(tasks::status(text(config, "name"))?),
        other => return Err(crate::failed(format!("no verb `{other}`"))),
    }
    Ok(report("done", &[]))
}
