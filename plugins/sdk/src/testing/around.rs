//! Alerts and messages that are kept, and other tasks as a test says they are.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::NativeHost;
use crate::alerts::{Alerts, Message, Severity};
use crate::tasks::{Hold, TaskState, Tasks};
use crate::{Error, Result};

/// An alert that stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    pub severity: Severity,
    pub message: String,
    /// A JSON document.
    pub details: Option<String>,
    /// Whether it is not to be told again for now.
    pub silent: bool,
}

/// What a run says of one key.
#[derive(Debug, Clone)]
enum Said {
    Raise(Standing),
    Resolve,
    Silence,
}

/// What surrounds a run.
#[derive(Default)]
pub struct Around {
    standing: RefCell<BTreeMap<String, Standing>>,
    /// What the present run said last of each key.
    said: RefCell<BTreeMap<String, Said>>,
    channels: Vec<String>,
    messages: RefCell<Vec<(String, String, Message)>>,
    holds: RefCell<BTreeMap<String, Vec<Hold>>>,
    tasks: BTreeMap<String, TaskState>,
}

impl Around {
    pub fn begin(&self) {
        self.said.borrow_mut().clear();
    }

    /// As the host does with every run that ends, successful or not.
    pub fn commit(&self) {
        let mut standing = self.standing.borrow_mut();
        for (key, said) in std::mem::take(&mut *self.said.borrow_mut()) {
            let held = self.holds.borrow().contains_key(&key);
            match said {
                Said::Raise(alert) if !held => drop(standing.insert(key, alert)),
                Said::Raise(_) => {}
                Said::Resolve => drop(standing.remove(&key)),
                Said::Silence => {
                    if let Some(alert) = standing.get_mut(&key) {
                        alert.silent = true;
                    }
                }
            }
        }
    }
}

impl NativeHost {
    /// Grants a channel.
    pub fn with_channel(mut self, name: &str) -> Self {
        self.around.channels.push(name.to_owned());
        self
    }

    /// Grants a look at another task.
    pub fn with_task(mut self, name: &str, status: TaskState) -> Self {
        self.around.tasks.insert(name.to_owned(), status);
        self
    }

    /// From now on a run of `task` holds `target`.
    pub fn hold(&self, target: &str, task: &str) {
        let hold = Hold {
            task: task.to_owned(),
            run: 1,
            since: self.now.get(),
        };
        let mut holds = self.around.holds.borrow_mut();
        holds.entry(target.to_owned()).or_default().push(hold);
    }

    /// From now on nobody does.
    pub fn release(&self, target: &str) {
        self.around.holds.borrow_mut().remove(target);
    }

    /// The alerts that stand after the last run, by key.
    pub fn standing(&self) -> BTreeMap<String, Standing> {
        self.around.standing.borrow().clone()
    }

    fn say(&self, key: &str, said: Said) {
        self.around.said.borrow_mut().insert(key.to_owned(), said);
    }

    /// The messages that were sent: channel, id and message.
    pub fn messages(&self) -> Vec<(String, String, Message)> {
        self.around.messages.borrow().clone()
    }
}

impl Alerts for NativeHost {
    fn raise(
        &self,
        key: &str,
        severity: Severity,
        message: &str,
        details: Option<&str>,
    ) -> Result<()> {
        let alert = Standing {
            severity,
            message: message.to_owned(),
            details: details.map(str::to_owned),
            silent: false,
        };
        self.change(
            || format!("raise alert {key}"),
            || {
                // As the host does.
                if self.around.said.borrow().len() >= 10_000 {
                    let text = "the alerts of one run may have 10000 keys";
                    return Err(Error::Limit(text.to_owned()));
                }
                self.say(key, Said::Raise(alert));
                Ok(())
            },
        )
    }

    fn resolve(&self, key: &str, _message: &str) -> Result<()> {
        self.change(
            || format!("resolve alert {key}"),
            || {
                self.say(key, Said::Resolve);
                Ok(())
            },
        )
    }

    fn silence(&self, key: &str) -> Result<()> {
        self.change(
            || format!("silence alert {key}"),
            || {
                self.say(key, Said::Silence);
                Ok(())
            },
        )
    }

    fn send(&self, channel: &str, id: &str, message: &Message) -> Result<()> {
        if !self.around.channels.iter().any(|known| known == channel) {
            let text = format!("the test grants no channel `{channel}`");
            return Err(Error::NotFound(text));
        }
        self.change(
            || format!("send {id} through {channel}"),
            || {
                let mut messages = self.around.messages.borrow_mut();
                let same =
                    |(to, known, _): &(String, String, Message)| to == channel && known == id;
                if !messages.iter().any(same) {
                    messages.push((channel.to_owned(), id.to_owned(), message.clone()));
                }
                Ok(())
            },
        )
    }
}

impl Tasks for NativeHost {
    fn holders(&self, target: &str) -> Result<Vec<Hold>> {
        let holds = self.around.holds.borrow();
        Ok(holds.get(target).cloned().unwrap_or_default())
    }

    fn holders_of(&self, targets: &[String]) -> Result<Vec<Vec<Hold>>> {
        targets.iter().map(|target| self.holders(target)).collect()
    }

    fn status(&self, task: &str) -> Result<TaskState> {
        let found = self.around.tasks.get(task).cloned();
        found.ok_or_else(|| Error::NotFound(format!("the test grants no task `{task}`")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Action, Plugin, Report};

    fn plugin() -> Plugin {
        let act = Action::new("check", "Checks", |context, down: Vec<String>| {
            for key in ["a", "b"] {
                match down.iter().any(|one| one == key) {
                    true => context
                        .alerts()
                        .raise(key, Severity::Critical, "down", None)?,
                    false => context.alerts().resolve(key, "up")?,
                }
            }
            Ok(Report::new("done"))
        });
        Plugin::new("watch", "0.1.0", "Watches").action(act)
    }

    #[test]
    fn alerts_stand_until_they_are_taken_back_and_not_while_held() {
        let host = NativeHost::new();
        let check = |down: &[&str]| {
            host.run(&plugin(), "check", serde_json::json!(down))
                .unwrap();
            host.standing().into_keys().collect::<Vec<_>>()
        };
        assert_eq!(check(&["a"]), ["a"]);
        host.hold("b", "pack-site");
        assert_eq!(check(&["a", "b"]), ["a"]);
        host.release("b");
        assert_eq!(check(&["b"]), ["b"]);
        assert!(
            host.dry_run(&plugin(), "check", serde_json::json!([]))
                .is_err()
        );
        assert_eq!(host.standing().len(), 1, "a dry run changes nothing");
    }
}
