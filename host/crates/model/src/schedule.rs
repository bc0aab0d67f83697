//! The seven forms of a schedule as data. Whether a cron expression or a zone is
//! right, and when a schedule fires, is `mhost-sched`'s to say.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::run::Outcome;
use crate::{Instant, Name, Span};

/// When a task is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawSchedule", into = "RawSchedule")]
pub enum Schedule {
    /// `"manual"`
    Manual,
    /// `{ cron = "30 2 * * MON-FRI", tz = "Europe/Kyiv" }`
    Cron { cron: String, tz: Option<String> },
    /// `{ every = "6h" }`; without `from`, the anchor is the task's creation.
    Every { every: Span, from: Option<Instant> },
    /// `{ month = 8, day = 31, minute = 11 }`
    Fields(Fields),
    /// `{ at = "2026-12-01T03:00:00Z" }`
    Once { at: Instant },
    /// `{ after = "backup-site" }`
    After { after: Name, on: AfterOn },
    /// `{ on_change = "content", settle = "2s" }`; names a directory grant.
    OnChange { on_change: Name, settle: Span },
}

/// The form of PloneMaintenance; see `scheduling.md`. Each is a single number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields {
    pub month: Option<u32>,
    pub day: Option<u32>,
    pub hour: Option<u32>,
    pub minute: Option<u32>,
    pub tz: Option<String>,
}

/// Which outcome of the other task sets this one off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AfterOn {
    #[default]
    Succeeded,
    Failed,
    Any,
}

impl AfterOn {
    /// Whether a run of the other task that ended so sets this one off. A fire that never ran
    /// (skipped, coalesced) sets off nothing, and what an operator cancelled counts as an end but
    /// not as a failure.
    pub fn is_set_off_by(self, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Succeeded => self != Self::Failed,
            Outcome::Failed | Outcome::TimedOut | Outcome::Lost => self != Self::Succeeded,
            Outcome::Cancelled => self == Self::Any,
            Outcome::Skipped | Outcome::Coalesced => false,
        }
    }
}

/// As it stands in TOML and JSON.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum RawSchedule {
    Word(String),
    Table(RawTable),
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawTable {
    #[serde(skip_serializing_if = "Option::is_none")]
    cron: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    every: Option<Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    month: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hour: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    minute: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on: Option<AfterOn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_change: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settle: Option<Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tz: Option<String>,
}

/// Why a table is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ScheduleError {
    #[error(
        "`{0}` is not a schedule: write `\"manual\"`, or a table such as `{{ cron = \"0 3 * * *\" }}` or `{{ every = \"6h\" }}`"
    )]
    Word(String),
    #[error(
        "a schedule needs one of `cron`, `every`, `at`, `after`, `on_change`, or the fields `month`, `day`, `hour`, `minute`"
    )]
    Empty,
    #[error("`{0}` and `{1}` are two forms of schedule: keep one")]
    TwoForms(&'static str, &'static str),
    #[error("`{key}` has no meaning beside `{form}`: remove it")]
    Stray {
        key: &'static str,
        form: &'static str,
    },
}

impl TryFrom<RawSchedule> for Schedule {
    type Error = ScheduleError;

    fn try_from(raw: RawSchedule) -> Result<Self, ScheduleError> {
        let t = match raw {
            RawSchedule::Word(word) if word == "manual" => return Ok(Self::Manual),
            RawSchedule::Word(word) if word.starts_with('@') => {
                return Ok(Self::Cron {
                    cron: word,
                    tz: None,
                });
            }
            RawSchedule::Word(word) => {
                return Err(ScheduleError::Word(word.chars().take(80).collect()));
            }
            RawSchedule::Table(table) => table,
        };
        let form = t.form()?;
        t.no_strays(form)?;
        Ok(match t {
            RawTable {
                cron: Some(cron),
                tz,
                ..
            } => Self::Cron { cron, tz },
            RawTable {
                every: Some(every),
                from,
                ..
            } => Self::Every { every, from },
            RawTable { at: Some(at), .. } => Self::Once { at },
            RawTable {
                after: Some(after),
                on,
                ..
            } => Self::After {
                after,
                on: on.unwrap_or_default(),
            },
            RawTable {
                on_change: Some(on_change),
                settle,
                ..
            } => Self::OnChange {
                on_change,
                settle: settle.unwrap_or(Span::seconds(2)),
            },
            RawTable {
                month,
                day,
                hour,
                minute,
                tz,
                ..
            } => Self::Fields(Fields {
                month,
                day,
                hour,
                minute,
                tz,
            }),
        })
    }
}

impl RawTable {
    /// The one form whose key is there.
    fn form(&self) -> Result<&'static str, ScheduleError> {
        let fields = self
            .month
            .or(self.day)
            .or(self.hour)
            .or(self.minute)
            .is_some();
        let forms = [
            ("cron", self.cron.is_some()),
            ("every", self.every.is_some()),
            ("at", self.at.is_some()),
            ("after", self.after.is_some()),
            ("on_change", self.on_change.is_some()),
            ("month, day, hour, minute", fields),
        ];
        let mut there = forms
            .into_iter()
            .filter(|(_, there)| *there)
            .map(|(form, _)| form);
        match (there.next(), there.next()) {
            (None, _) => Err(ScheduleError::Empty),
            (Some(one), Some(two)) => Err(ScheduleError::TwoForms(one, two)),
            (Some(form), None) => Ok(form),
        }
    }

    /// Refuses keys that belong to other forms.
    fn no_strays(&self, form: &'static str) -> Result<(), ScheduleError> {
        let zoned = matches!(form, "cron" | "month, day, hour, minute");
        let strays = [
            ("from", self.from.is_some() && form != "every"),
            ("on", self.on.is_some() && form != "after"),
            ("settle", self.settle.is_some() && form != "on_change"),
            ("tz", self.tz.is_some() && !zoned),
        ];
        match strays.into_iter().find(|(_, stray)| *stray) {
            Some((key, _)) => Err(ScheduleError::Stray { key, form }),
            None => Ok(()),
        }
    }
}

impl From<Schedule> for RawSchedule {
    fn from(schedule: Schedule) -> Self {
        let none = RawTable::default();
        Self::Table(match schedule {
            Schedule::Manual => return Self::Word("manual".into()),
            Schedule::Cron { cron, tz } => RawTable {
                cron: Some(cron),
                tz,
                ..none
            },
            Schedule::Every { every, from } => RawTable {
                every: Some(every),
                from,
                ..none
            },
            Schedule::Fields(Fields {
                month,
                day,
                hour,
                minute,
                tz,
            }) => RawTable {
                month,
                day,
                hour,
                minute,
                tz,
                ..none
            },
            Schedule::Once { at } => RawTable {
                at: Some(at),
                ..none
            },
            Schedule::After { after, on } => RawTable {
                after: Some(after),
                on: Some(on),
                ..none
            },
            Schedule::OnChange { on_change, settle } => RawTable {
                on_change: Some(on_change),
                settle: Some(settle),
                ..none
            },
        })
    }
}
