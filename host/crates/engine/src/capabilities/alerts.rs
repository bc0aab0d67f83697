//! `mhost:plugin/alerts`: what a run says of its alerts is kept until the run ends, and
//! handed back to be committed with its outcome; a message is handed on at once.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use mhost_model::alert::{AlertChange, Attachment, Message, Severity};
use mhost_model::{Fault, FaultResult};
use wasmtime::component::Linker;

use crate::bindings::mhost::plugin::alerts::{self as contract, Host};
use crate::refusal::Answer;
use crate::report;
use crate::state::{Call, Calls, RunState, Shared, enter};

/// The longest key or id, bytes.
const LONGEST_KEY: usize = 200;
/// The largest details of one alert, bytes.
const DETAILS: usize = 64 << 10;
/// The most keys of one run, and what they may add up to, bytes.
const KEYS: usize = 10_000;
const LARGEST: usize = 4 << 20;
/// The largest message, and what those of one run may add up to, bytes.
const LARGEST_MESSAGE: usize = 8 << 20;
const LARGEST_MESSAGES: usize = 64 << 20;
/// The longest subject or file name, bytes.
const LONGEST_LINE: usize = 500;
/// Attachments of one message.
const ATTACHMENTS: usize = 100;

/// What a run said so far.
#[derive(Debug, Default)]
pub(crate) struct Alerts(Mutex<Said>);

#[derive(Debug, Default)]
struct Said {
    changes: BTreeMap<String, AlertChange>,
    /// Bytes of all changes.
    size: usize,
    /// Bytes of all messages.
    sent: usize,
}

impl Alerts {
    /// Takes the changes out, without secrets: also without those that the run has read
    /// only after it said something.
    pub(crate) fn take(&self, shared: &Shared) -> Vec<AlertChange> {
        let changes = std::mem::take(&mut self.said().changes);
        changes
            .into_values()
            .map(|change| masked(shared, change))
            .collect()
    }

    fn put(&self, change: AlertChange, size: usize) -> FaultResult<()> {
        let mut said = self.said();
        let new = !said.changes.contains_key(change.key());
        if (new && said.changes.len() >= KEYS) || said.size + size > LARGEST {
            return Err(Fault::Limit(format!(
                "the alerts of one run may have {KEYS} keys and {LARGEST} bytes"
            )));
        }
        said.size += size;
        said.changes.insert(change.key().to_owned(), change);
        Ok(())
    }

    /// Counts a message.
    fn sending(&self, size: usize) -> FaultResult<()> {
        let mut said = self.said();
        if size > LARGEST_MESSAGE || said.sent + size > LARGEST_MESSAGES {
            return Err(Fault::Limit(format!(
                "a message may have {LARGEST_MESSAGE} bytes, and those of one run {LARGEST_MESSAGES}; this one has {size}"
            )));
        }
        said.sent += size;
        Ok(())
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn masked(shared: &Shared, change: AlertChange) -> AlertChange {
    match change {
        AlertChange::Raise {
            key,
            severity,
            message,
            details,
        } => AlertChange::Raise {
            key: report::text(shared, &key),
            severity,
            message: report::text(shared, &message),
            details: details.map(|mut details| {
                report::hide_in_value(shared, &mut details);
                details
            }),
        },
        AlertChange::Resolve { key, message } => AlertChange::Resolve {
            key: report::text(shared, &key),
            message: report::text(shared, &message),
        },
        AlertChange::Silence { key } => AlertChange::Silence {
            key: report::text(shared, &key),
        },
    }
}

pub(crate) fn add_to_linker(linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    contract::add_to_linker::<_, Calls>(linker, enter)
}

impl Host for Call<'_> {
    async fn raise(
        &mut self,
        key: String,
        severity: contract::Severity,
        message: String,
        details: Option<String>,
    ) -> Answer<()> {
        check_key("key of an alert", &key)?;
        let size = key.len() + message.len() + details.as_ref().map_or(0, String::len);
        let details = details.map(parsed).transpose()?;
        let permit = self.shared.granter.alert("raise", &key)?;
        let severity = match severity {
            contract::Severity::Degraded => Severity::Degraded,
            contract::Severity::Critical => Severity::Critical,
        };
        let part = key.clone();
        let change = AlertChange::Raise {
            key,
            severity,
            message,
            details,
        };
        self.shared.alerts.put(change, size)?;
        permit.used_part(&part);
        Ok(())
    }

    async fn resolve(&mut self, key: String, message: String) -> Answer<()> {
        check_key("key of an alert", &key)?;
        let permit = self.shared.granter.alert("resolve", &key)?;
        let size = key.len() + message.len();
        let change = AlertChange::Resolve { key, message };
        self.shared.alerts.put(change, size)?;
        permit.used();
        Ok(())
    }

    async fn silence(&mut self, key: String) -> Answer<()> {
        check_key("key of an alert", &key)?;
        let permit = self.shared.granter.alert("silence", &key)?;
        let size = key.len();
        let change = AlertChange::Silence { key };
        self.shared.alerts.put(change, size)?;
        permit.used();
        Ok(())
    }

    async fn send(
        &mut self,
        channel: String,
        id: String,
        message: contract::Message,
    ) -> Answer<()> {
        check_key("id of a message", &id)?;
        let permit = self.shared.granter.channel(&channel, &id)?;
        let message = checked(&self.shared, id, message)?;
        self.shared.messenger.send(&permit.name, message)?;
        permit.used();
        Ok(())
    }
}

fn check_key(what: &str, key: &str) -> FaultResult<()> {
    if key.is_empty() || key.len() > LONGEST_KEY || key.chars().any(char::is_control) {
        return Err(Fault::Invalid(format!(
            "the {what} must be one line of 1 to {LONGEST_KEY} bytes, and has {}",
            key.len()
        )));
    }
    Ok(())
}

fn parsed(details: String) -> FaultResult<serde_json::Value> {
    if details.len() > DETAILS {
        return Err(Fault::Limit(format!(
            "the details of an alert may have {DETAILS} bytes, and have {}",
            details.len()
        )));
    }
    Ok(serde_json::from_str(&details).unwrap_or(serde_json::Value::String(details)))
}

/// A message within its limits, without secrets where it is text.
fn checked(shared: &Shared, id: String, message: contract::Message) -> FaultResult<Message> {
    let size: usize = message
        .attachments
        .iter()
        .map(|one| one.content.len())
        .sum();
    shared
        .alerts
        .sending(size + message.subject.len() + message.text.len())?;
    if message.attachments.len() > ATTACHMENTS {
        return Err(Fault::Limit(format!(
            "a message may have {ATTACHMENTS} attachments"
        )));
    }
    let attachments = message.attachments.into_iter().map(attachment);
    Ok(Message {
        id,
        subject: line(&shared.masks.hide(&message.subject)),
        text: shared.masks.hide(&message.text).into_owned(),
        attachments: attachments.collect::<FaultResult<_>>()?,
    })
}

fn attachment(file: contract::Attachment) -> FaultResult<Attachment> {
    let name = file.name;
    if name.is_empty() || name.len() > LONGEST_LINE || name.contains(['/', '\\']) {
        return Err(Fault::Invalid(format!(
            "an attachment's name must be a file name of at most {LONGEST_LINE} bytes, without slashes"
        )));
    }
    Ok(Attachment {
        name: line(&name),
        media_type: line(&file.media_type),
        content: file.content,
    })
}

/// One line: what would begin another is a blank.
fn line(text: &str) -> String {
    let mut text = text.replace(char::is_control, " ");
    text.truncate(text.floor_char_boundary(LONGEST_LINE));
    text
}
