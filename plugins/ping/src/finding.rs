//! What was found out about one target.

use mhost_sdk::Error;
use mhost_sdk::probe::{Certificate, Phases as Measured};
use serde::{Deserialize, Serialize};

use crate::alerts::News;

/// How a target stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Up,
    /// It answers, but too slowly, or not for long; or it failed, but not often enough.
    Degraded,
    Down,
    /// It turns from good to bad and back.
    Flapping,
    /// All that it hangs on is down.
    Unreachable,
    /// It may be down now.
    Maintenance,
    /// A task of this host has it in hands.
    Held,
    /// It was not asked.
    Skipped,
}

/// What one check says, before what was known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Verdict {
    Good,
    /// Good, with a reason to look at it.
    Warned(String),
    Bad(String),
    /// Not asked.
    #[default]
    None,
}

/// Stands in the report's details.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    pub name: String,
    pub state: State,
    pub up: bool,
    /// Whether it was not asked, which only a dry run does.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
    /// How often it was asked.
    pub attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// `HTTP/1.1`, `TLSv1.3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Who answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Where redirects led.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// To the end of the exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phases_ms: Option<Phases>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Validity>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<String>,
    /// Why it is not up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What else is to be said of its state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Since when its state is this, milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// The host's error, where there was one.
    #[serde(skip)]
    pub cause: Option<Error>,
    /// Whether it was slow.
    #[serde(skip)]
    pub slow: bool,
    /// Whether it could not even be asked: a grant or a secret is missing, or what is
    /// written makes no sense. That says nothing of the target.
    #[serde(skip)]
    pub unasked: bool,
    #[serde(skip)]
    pub verdict: Verdict,
    /// What people are told of it.
    #[serde(skip)]
    pub news: News,
}

/// Milliseconds of each phase, as far as it is known.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Phases {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolve: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handshake: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_byte: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer: Option<f64>,
}

/// What of a certificate matters for its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validity {
    pub subject: String,
    pub issuer: String,
    /// Milliseconds since 1970.
    pub not_after: u64,
    /// Whole days, negative when it has ended.
    #[serde(default)]
    pub days_left: i64,
    /// When it was seen last, where that was not in this check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<u64>,
}

impl Validity {
    pub fn of(certificate: &Certificate, now: u64) -> Self {
        let mut validity = Self {
            subject: certificate.subject.chars().take(MOST_SUBJECT).collect(),
            issuer: certificate.issuer.chars().take(MOST_SUBJECT).collect(),
            not_after: certificate.not_after,
            days_left: 0,
            last_seen: None,
        };
        validity.count(now);
        validity
    }

    /// Counts the days from now on.
    pub fn count(&mut self, now: u64) {
        let left = i128::from(self.not_after) - i128::from(now);
        self.days_left = i64::try_from(left.div_euclid(DAY)).unwrap_or(i64::MAX);
    }
}

const DAY: i128 = 86_400_000;
/// A peer may write anything into its certificate.
const MOST_SUBJECT: usize = 300;

impl Finding {
    /// Nothing known yet.
    pub fn new(name: String) -> Self {
        Self {
            name,
            state: State::Skipped,
            up: false,
            skipped: false,
            attempts: 0,
            status: None,
            version: None,
            address: None,
            url: None,
            latency_ms: None,
            phases_ms: None,
            certificate: None,
            records: Vec::new(),
            error: None,
            note: None,
            since: None,
            cause: None,
            slow: false,
            unasked: false,
            verdict: Verdict::None,
            news: News::None,
        }
    }

    /// Not asked, in a dry run.
    pub fn skipped(name: String) -> Self {
        Self {
            skipped: true,
            ..Self::new(name)
        }
    }

    /// The host could not ask, or nobody answered.
    pub fn failed(name: String, error: Error) -> Self {
        Self {
            verdict: Verdict::Bad(error.to_string()),
            unasked: matches!(error, Error::Denied(_) | Error::Invalid(_)),
            cause: Some(error),
            ..Self::new(name)
        }
    }

    /// With the timings of a probe.
    pub fn timed(mut self, measured: &Measured) -> Self {
        let phase = |nanoseconds: u64| (nanoseconds > 0).then(|| millis(nanoseconds));
        self.latency_ms = Some(millis(measured.total));
        self.phases_ms = Some(Phases {
            resolve: phase(measured.resolve),
            connect: phase(measured.connect),
            handshake: phase(measured.handshake),
            first_byte: phase(measured.first_byte),
            transfer: phase(measured.transfer),
        });
        self
    }

    /// Whether this check went badly.
    pub fn bad(&self) -> bool {
        matches!(self.verdict, Verdict::Bad(_))
    }

    /// Whether asking again may help.
    pub fn may_recover(&self) -> bool {
        self.cause.as_ref().is_none_or(|cause| {
            // A name that is not there now may be there soon.
            cause.retryable() || matches!(cause, Error::NotFound(_) | Error::Damaged(_))
        })
    }
}

/// With microseconds.
fn millis(nanoseconds: u64) -> f64 {
    (nanoseconds as f64 / 1e3).round() / 1e3
}
