//! What can be said of a stretch that is lost: which transactions and objects had records there.

use std::collections::BTreeSet;
use std::io::{Read, Seek};

use super::report::Lost;
use crate::error::{Damage, Result};
use crate::layout::{Oid, RECORD_HEAD, RecordHead, START, TXN_HEAD, Tid};
use crate::window::Window;

/// So many ids of a stretch are named.
const MOST: usize = 1000;

/// Looks for headers of records.
pub fn search<R: Read + Seek>(
    window: &mut Window<R>,
    from: u64,
    to: u64,
    damage: Damage,
) -> Result<Lost> {
    const STEP: u64 = 128 << 10;
    let mut tids: BTreeSet<Tid> = damage.tid.into_iter().collect();
    let mut oids: BTreeSet<Oid> = damage.oid.into_iter().collect();
    let mut at = from;
    while at + RECORD_HEAD as u64 <= to {
        let length = (to - at).min(STEP + RECORD_HEAD as u64) as usize;
        let bytes = window.slice(at, length)?;
        let last = length - RECORD_HEAD;
        for offset in 0..=last {
            // Versions are gone: these two bytes are 0 in every header.
            if bytes[offset + 32] != 0 || bytes[offset + 33] != 0 {
                continue;
            }
            let head = RecordHead::parse(&bytes[offset..]);
            if likely(&head, at + offset as u64, from, to) {
                tids.insert(head.tid);
                oids.insert(head.oid);
            }
        }
        if tids.len() > MOST || oids.len() > MOST {
            break;
        }
        at += last as u64 + 1;
    }
    Ok(Lost {
        from,
        bytes: to - from,
        tids: tids.into_iter().take(MOST).collect(),
        oids: oids.into_iter().take(MOST).collect(),
        damage,
    })
}

fn likely(head: &RecordHead, at: u64, from: u64, to: u64) -> bool {
    let before = head.txn >= START.max(from) && head.txn.saturating_add(TXN_HEAD as u64) <= at;
    before && head.tid.plausible() && head.previous < at && head.length <= to - at
}
