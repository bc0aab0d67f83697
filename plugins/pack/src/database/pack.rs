//! Packing a database.

use mhost_sdk::database::{Database, Info, KeepOld as Keep, PackResult};
use mhost_sdk::progress::Unit;
use mhost_sdk::units::human_bytes;
use mhost_sdk::{Context, Doing as _, Failure, Optional as _, Report};
use serde_json::json;

use crate::config::KeepOld;

/// For messages: the database `site`.
pub fn label(name: &str) -> String {
    format!("the database `{name}`")
}

/// Opens a granted database.
pub fn open<'h>(context: &'h Context, name: &str) -> Result<Box<dyn Database + 'h>, Failure> {
    let opened = context.database(name);
    opened.doing(|| format!("open {}", label(name)))
}

/// Packs, and says how many bytes that gave back. A dry run asks for the pack too,
/// which the host withholds, so that it stands on the receipt.
pub fn pack(context: &Context, name: &str, keep: Option<KeepOld>) -> Result<Report, Failure> {
    let label = label(name);
    let database = open(context, name)?;
    let info = info(database.as_ref(), &label)?;
    context.check_cancelled()?;
    // The host tells of the steps in between, in bytes where they are counted.
    context.report_progress(&format!("packing {label}"), 0, None, Unit::Bytes);
    let keep = match keep.unwrap_or(KeepOld::Until(false)) {
        KeepOld::Until(false) => Keep::No,
        KeepOld::Until(true) => Keep::UntilNext,
        KeepOld::For(span) => Keep::Seconds(span.duration().as_secs()),
    };
    let packed = database
        .pack_keeping(keep)
        .unless_dry_run()
        .doing(|| format!("pack {label}"))?;
    context.report_progress(
        &format!("packed {label}"),
        info.size,
        Some(info.size),
        Unit::Bytes,
    );
    Ok(match packed {
        Some(packed) => done(&label, &info, &packed),
        None => planned(&label, &info),
    })
}

pub fn info(database: &dyn Database, label: &str) -> Result<Info, Failure> {
    database.info().doing(|| format!("look at {label}"))
}

fn done(label: &str, info: &Info, packed: &PackResult) -> Report {
    let smaller = packed.before.saturating_sub(packed.after);
    // What is kept under another name is still taken.
    let (reclaimed, held) = match packed.old {
        Some(_) => (0, packed.before),
        None => (smaller, 0),
    };
    let summary = if packed.after > packed.before {
        let more = human_bytes(packed.after - packed.before);
        format!("packed {label}, which had nothing to give back and grew by {more}")
    } else if smaller == 0 {
        format!("packed {label}, which had nothing to give back")
    } else {
        let (before, after) = (human_bytes(packed.before), human_bytes(packed.after));
        format!("packed {label} from {before} to {after}")
    };
    let summary = match &packed.old {
        Some(old) => format!("{summary}; the old one stays as {old}"),
        None => summary,
    };
    let report = figures(Report::new(summary), packed.before, packed.after, reclaimed);
    report.metric("bytes_held", held).details(&json!({
        "engine": info.engine,
        "version": info.version,
        "old": packed.old,
        "forgotten": packed.forgotten,
    }))
}

fn planned(label: &str, info: &Info) -> Report {
    let expected = info.reclaimable.unwrap_or(0);
    let summary = match info.reclaimable {
        Some(bytes) => {
            let (bytes, size) = (human_bytes(bytes), human_bytes(info.size));
            format!("would pack {label}, which may give back {bytes} of {size}")
        }
        None => format!(
            "would pack {label} of {}; {} cannot tell how much that gives back",
            human_bytes(info.size),
            info.engine
        ),
    };
    let after = info.size.saturating_sub(expected);
    figures(Report::new(summary), info.size, after, expected)
        .details(&json!({ "engine": info.engine, "version": info.version, "estimated": true }))
}

fn figures(report: Report, before: u64, after: u64, reclaimed: u64) -> Report {
    report
        .metric("bytes_before", before)
        .metric("bytes_after", after)
        .metric("bytes_reclaimed", reclaimed)
}
