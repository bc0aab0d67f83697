//! The zone in which days begin and names are dated, as the host knows it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use mhost_sdk::{Context, Failure};

/// No zone's offset changes within the quarter of an hour, milliseconds.
const QUARTER: u64 = 900_000;

/// UTC, or a zone of the IANA database.
pub struct Zone<'c> {
    context: &'c Context<'c>,
    name: Option<String>,
    /// Seconds that were asked for, by the quarter.
    offsets: RefCell<BTreeMap<u64, i32>>,
}

impl<'c> Zone<'c> {
    pub fn named(context: &'c Context<'c>, name: Option<&str>) -> Result<Self, Failure> {
        if let Some(name) = name {
            context.zone_offset(name, context.now()).map_err(|_| {
                Failure::permanent(format!(
                    "`tz` names the zone `{name}`, which is none: write one such as `Europe/Kyiv`"
                ))
            })?;
        }
        Ok(Self {
            context,
            name: name.map(str::to_owned),
            offsets: RefCell::default(),
        })
    }

    /// The calendar's time at a moment in milliseconds.
    pub fn local(&self, millis: u64) -> NaiveDateTime {
        let offset = TimeDelta::seconds(i64::from(self.offset(millis)));
        let millis = i64::try_from(millis).unwrap_or(i64::MAX);
        let at = DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::<Utc>::MAX_UTC);
        let at = at.naive_utc();
        at.checked_add_signed(offset).unwrap_or(at)
    }

    /// What is beyond the host's calendar has no offset.
    fn offset(&self, millis: u64) -> i32 {
        let Some(name) = &self.name else { return 0 };
        let mut offsets = self.offsets.borrow_mut();
        let ask = || self.context.zone_offset(name, millis).unwrap_or(0);
        *offsets.entry(millis / QUARTER).or_insert_with(ask)
    }
}
