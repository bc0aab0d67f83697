//! Files that moved: what is new in the source and what is gone from it, with the same
//! size, time and content.

use std::collections::HashMap;

use mhost_sdk::files::Moment;
use mhost_sdk::{Context, Result};

use super::brake::Ends;
use super::plan::{Code, Plan, What};

/// Turns copies of a plan into renames.
pub fn find(context: &Context<'_>, ends: &Ends<'_>, plan: &mut Plan) -> Result<()> {
    let mut gone: HashMap<(u64, Time), Vec<usize>> = HashMap::new();
    for (n, extra) in plan.delete.iter().enumerate().rev() {
        if let Some((size, modified)) = extra.file {
            gone.entry((size, key(modified))).or_default().push(n);
        }
    }
    let mut moved = Vec::new();
    for arrival in std::mem::take(&mut plan.arrivals) {
        let candidates = gone.get_mut(&(arrival.size, key(arrival.modified)));
        let Some(candidates) = candidates else {
            continue;
        };
        let new = plan.make[arrival.index].path.clone();
        let mut found = None;
        for (at, n) in candidates.iter().enumerate().rev() {
            let pair = (new.clone(), plan.delete[*n].path.clone());
            let same = context.trees().same(ends.from, ends.to, &[pair])?;
            if matches!(same.as_slice(), [Ok(true)]) {
                found = Some(at);
                break;
            }
        }
        let Some(at) = found else {
            continue;
        };
        let n = candidates.remove(at);
        let change = &mut plan.make[arrival.index];
        change.code = Code::new(b'c', b'f');
        change.what = What::Rename {
            from: plan.delete[n].path.clone(),
            changes: Some(Box::new(arrival.wanted)),
        };
        plan.counts.bytes -= arrival.size;
        moved.push(n);
    }
    moved.sort_unstable();
    let mut n = 0;
    plan.delete.retain(|_| {
        n += 1;
        moved.binary_search(&(n - 1)).is_err()
    });
    Ok(())
}

/// A moment that can be a key.
type Time = (i64, u32);

fn key(moment: Moment) -> Time {
    (moment.seconds, moment.nanoseconds)
}
