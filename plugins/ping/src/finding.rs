//! What was found out about one target.

use std::time::Duration;

use mhost_sdk::Error;
use mhost_sdk::probe::{Certificate, Timings};
use serde::Serialize;

/// Stands in the report's details.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    pub name: String,
    pub up: bool,
    /// Whether it was not asked, which only a dry run does.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
    /// How often it was asked.
    pub attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// To the end of the exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phases_ms: Option<Phases>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Validity>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<String>,
    /// Why it is down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The host's error, where there was one.
    #[serde(skip)]
    pub cause: Option<Error>,
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
}

/// What of a certificate matters for its end.
#[derive(Debug, Clone, Serialize)]
pub struct Validity {
    pub subject: String,
    pub issuer: String,
    /// Milliseconds since 1970.
    pub not_after: u64,
    /// Whole days, negative when it has ended.
    pub days_left: i64,
}

impl Validity {
    pub fn of(certificate: &Certificate, now: u64) -> Self {
        let left = i128::from(certificate.not_after) - i128::from(now);
        Self {
            subject: certificate.subject.clone(),
            issuer: certificate.issuer.clone(),
            not_after: certificate.not_after,
            days_left: i64::try_from(left.div_euclid(86_400_000)).unwrap_or(i64::MAX),
        }
    }
}

impl Finding {
    /// Nothing known yet.
    pub fn new(name: String) -> Self {
        Self {
            name,
            up: false,
            skipped: false,
            attempts: 0,
            status: None,
            latency_ms: None,
            phases_ms: None,
            certificate: None,
            records: Vec::new(),
            error: None,
            cause: None,
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
            error: Some(error.to_string()),
            cause: Some(error),
            ..Self::new(name)
        }
    }

    /// With the verdict: why it is down, if it is.
    pub fn judged(mut self, problem: Option<String>) -> Self {
        self.up = problem.is_none();
        self.error = problem;
        self
    }

    /// With the timings of a probe.
    pub fn timed(mut self, timings: &Timings) -> Self {
        let Timings {
            resolve,
            connect,
            handshake,
            exchange,
        } = *timings;
        self.latency_ms = Some(nanos(resolve + connect + handshake + exchange));
        let phase = |nanoseconds: u64| (nanoseconds > 0).then(|| nanos(nanoseconds));
        self.phases_ms = Some(Phases {
            resolve: phase(resolve),
            connect: phase(connect),
            handshake: phase(handshake),
            first_byte: None,
        });
        self
    }

    /// Whether asking again may help.
    pub fn may_recover(&self) -> bool {
        self.cause.as_ref().is_none_or(Error::retryable)
    }
}

fn nanos(nanoseconds: u64) -> f64 {
    millis(Duration::from_nanos(nanoseconds))
}

/// With microseconds.
pub fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
