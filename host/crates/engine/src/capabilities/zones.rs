//! `mhost:plugin/zones`: local time from the host's database of zones.

use chrono::{DateTime, Offset as _, TimeZone as _, Utc};
use chrono_tz::Tz;
use mhost_model::{Fault, FaultResult};
use wasmtime::component::Linker;

use crate::bindings::mhost::plugin::zones::{self as contract, Host};
use crate::refusal::Answer;
use crate::state::{Call, Calls, RunState, enter};

/// The longest name that is looked up, bytes.
const LONGEST: usize = 100;

pub(crate) fn add_to_linker(linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    contract::add_to_linker::<_, Calls>(linker, enter)
}

impl Host for Call<'_> {
    async fn offset(&mut self, zone: String, at: u64) -> Answer<i32> {
        Ok(offset(&zone, at)?)
    }
}

/// Seconds east of UTC.
fn offset(zone: &str, at: u64) -> FaultResult<i32> {
    let short: String = zone.chars().take(LONGEST).collect();
    let zone: Tz = short
        .parse()
        .map_err(|_| Fault::Invalid(format!("there is no zone `{short}`")))?;
    let at = i64::try_from(at)
        .ok()
        .and_then(DateTime::<Utc>::from_timestamp_millis)
        .ok_or_else(|| Fault::Invalid("the time is beyond the calendar".to_owned()))?;
    let offset = zone.offset_from_utc_datetime(&at.naive_utc());
    Ok(offset.fix().local_minus_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The database's own rules: summer time in Kyiv from 2026-03-29T01:00:00Z.
    #[test]
    fn zones_know_their_summer() {
        for (zone, at, expected) in [
            ("Europe/Kyiv", 1_774_745_999_000, 7_200),
            ("Europe/Kyiv", 1_774_746_000_000, 10_800),
            ("America/New_York", 1_772_323_200_000, -18_000),
            ("UTC", 0, 0),
        ] {
            assert_eq!(offset(zone, at).unwrap(), expected, "{zone} at {at}");
        }
        for (zone, at) in [("Mars/Base", 0), ("", 0), ("UTC", u64::MAX)] {
            let fault = offset(zone, at).unwrap_err();
            assert!(matches!(fault, Fault::Invalid(_)), "{fault}");
        }
    }
}
