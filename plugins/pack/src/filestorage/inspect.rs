//! What a FileStorage holds.

use mhost_filestorage::inspect as format;
use mhost_filestorage::pack::{self, Options, Tail};
use mhost_sdk::units::human_bytes;
use mhost_sdk::{Context, Failure, Report};
use serde_json::json;

use super::{Told, failed, open};
use crate::config::Inspect;

/// So many classes are listed.
const CLASSES: usize = 500;

/// Counts transactions, and objects and classes by size and age, and what a pack would free.
pub fn inspect(context: &Context, path: &str, config: &Inspect) -> Result<Report, Failure> {
    let mut file = open(context, path)?;
    let told = &mut Told {
        context,
        name: path,
    };
    let options = Options {
        stop: config.before.unwrap_or_default().tid(context.now())?,
        collect: config.gc,
        blobs: false,
        tail: Tail::LeaveOut,
    };
    let fail = |error| failed("inspect", path, error);
    // This also finds the end of a file that is being written.
    let plan = pack::plan(&mut file, &options, told).map_err(fail)?;
    let mut found = format::inspect(&mut file, told).map_err(fail)?;
    let further = found.classes.len().saturating_sub(CLASSES);
    found.classes.truncate(CLASSES);
    let figures = &plan.figures;
    let freed = match plan.idle {
        Some(_) => 0,
        None => figures.bytes.saturating_sub(figures.most_written),
    };
    let mut summary = format!(
        "{path} holds {} objects in {} transactions, {}; a pack would free about {}",
        found.objects,
        found.transactions,
        human_bytes(found.bytes),
        human_bytes(freed)
    );
    if figures.tail > 0 {
        summary.push_str(&format!(
            "; it ends in an unfinished transaction of {}",
            human_bytes(figures.tail)
        ));
    }
    Ok(Report::new(summary)
        .metric("bytes_size", found.bytes)
        .metric("bytes_current", found.current_bytes)
        .metric("bytes_reclaimable", freed)
        .metric("bytes_unfinished", figures.tail)
        .metric("transactions", found.transactions)
        .metric("records", found.records)
        .metric("objects", found.objects)
        .metric(
            "objects_removable",
            figures.objects.saturating_sub(figures.objects_kept),
        )
        .details(&json!({
            "pack_time": options.stop,
            "idle": plan.idle,
            "figures": figures,
            "dangling": plan.dangling,
            "held": found,
            "classes_omitted": further,
        })))
}
