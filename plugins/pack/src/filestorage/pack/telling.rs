//! What is told of a pack.

use mhost_filestorage::pack::{Figures, Idle};
use mhost_sdk::units::human_bytes;
use mhost_sdk::{Capped, Report};
use serde_json::json;

use super::{Cleared, Job, Place, Planned, Swapped};

impl Job<'_, '_> {
    /// What was done.
    pub fn report(
        &self,
        planned: &Planned,
        swapped: Option<&Swapped<'_, '_>>,
        cleared: &Cleared,
    ) -> Report {
        let figures = &planned.figures;
        let before = figures.bytes + figures.tail;
        let after = swapped.map_or(before, |swapped| swapped.length);
        let old = swapped.and_then(|swapped| swapped.old.as_deref());
        let forgotten: u64 = cleared.forgotten.iter().map(|old| old.bytes).sum();
        let replaced = swapped.map_or(0, |swapped| swapped.replaced);
        let here = matches!(self.place, Place::Here(_));
        // What is kept under another name is still taken.
        let smaller = match here && old.is_none() {
            true => before.saturating_sub(after),
            false => 0,
        };
        let mut report = Report::new(self.summary(planned, swapped))
            .metric("bytes_before", before)
            .metric("bytes_after", after)
            .metric("bytes_reclaimed", smaller + replaced + forgotten)
            .metric("bytes_held", old.map_or(0, |_| self.original.size))
            .metric("bytes_unfinished", figures.tail);
        if swapped.is_some() {
            report = objects(report, figures);
            if !here {
                report = report.artifact("file", self.target, Some(after));
            }
        }
        if let Some(old) = old {
            report = report.artifact("file", old, Some(self.original.size));
        }
        let mut unreferenced = Capped::default();
        if let Some(blobs) = &self.blobs {
            report = self
                .blobs(report, planned)
                .metric("blobs_removed", cleared.blobs.files)
                .metric(
                    "blob_bytes_reclaimed",
                    match old {
                        Some(_) => 0,
                        None => cleared.blobs.bytes,
                    },
                );
            if !here {
                let gone = planned.gone.iter();
                gone.for_each(|revision| unreferenced.push(blobs.file(*revision)));
            }
        }
        report.details(&json!({
            "pack_time": self.stop(),
            "figures": figures,
            "dangling": planned.dangling,
            "forgotten": cleared.forgotten,
            "blobs_unreferenced": unreferenced,
        }))
    }

    fn summary(&self, planned: &Planned, swapped: Option<&Swapped<'_, '_>>) -> String {
        let figures = &planned.figures;
        let before = human_bytes(figures.bytes + figures.tail);
        let Some(swapped) = swapped else {
            let tail = match figures.tail {
                0 => String::new(),
                tail => format!(
                    "; it ends in an unfinished transaction of {}",
                    human_bytes(tail)
                ),
            };
            let nothing = self.nothing(planned.idle);
            return format!("{nothing}; it stays as it is ({before}){tail}");
        };
        let after = human_bytes(swapped.length);
        let mut summary = match (&self.place, planned.idle) {
            (Place::Here(_), _) => format!("packed {} from {before} to {after}", self.path),
            (Place::There(output, _), None) => {
                format!("packed {} ({before}) into {output} ({after})", self.path)
            }
            (Place::There(output, _), idle) => {
                format!("{}; copied it to {output} ({after})", self.nothing(idle))
            }
        };
        if figures.tail > 0 {
            summary.push_str(&format!(
                "; an unfinished transaction of {} at its end was left out",
                human_bytes(figures.tail)
            ));
        }
        if let Some(old) = &swapped.old {
            summary.push_str(&format!("; the old file stays as {old}"));
        }
        summary
    }

    /// Why there is nothing to pack.
    fn nothing(&self, idle: Option<Idle>) -> String {
        let why = match idle {
            Some(Idle::Empty) => "holds no object",
            Some(Idle::Young) => "holds nothing as old as the pack time",
            Some(Idle::Packed) => "was packed to this time or a later one already",
            None => "holds nothing that a pack would remove",
        };
        format!("{} {why}", self.path)
    }

    fn blobs(&self, report: Report, planned: &Planned) -> Report {
        report
            .metric("blobs_kept", planned.kept.len())
            .metric("blobs_missing", planned.missing)
            .metric("blobs_unreferenced", planned.gone.len())
    }

    /// What a dry run says.
    pub fn would(&self, planned: &Planned) -> Report {
        let figures = &planned.figures;
        let before = figures.bytes + figures.tail;
        let after = match planned.idle {
            Some(_) if matches!(self.place, Place::Here(_)) => before,
            Some(_) => figures.bytes,
            None => figures.most_written.min(before),
        };
        let (long, short) = (human_bytes(before), human_bytes(after));
        let mut summary = match (&self.place, planned.idle) {
            (Place::Here(_), None) => {
                format!("would pack {} from {long} to at most {short}", self.path)
            }
            (Place::Here(_), idle) => {
                format!("{}; it would stay as it is ({long})", self.nothing(idle))
            }
            (Place::There(output, _), None) => {
                format!(
                    "would pack {} ({long}) into {output}, at most {short}",
                    self.path
                )
            }
            (Place::There(output, _), idle) => {
                format!(
                    "{}; would copy it to {output} ({short})",
                    self.nothing(idle)
                )
            }
        };
        if figures.tail > 0 && after != before {
            summary.push_str(&format!(
                "; an unfinished transaction of {} at its end would be left out",
                human_bytes(figures.tail)
            ));
        }
        let held = match &self.place {
            Place::Here(kept) => kept.suffix.is_some() && planned.idle.is_none(),
            Place::There(..) => false,
        };
        let smaller = match (&self.place, held) {
            (Place::Here(_), false) => before - after,
            _ => 0,
        };
        let mut report = Report::new(summary)
            .metric("bytes_before", before)
            .metric("bytes_after", after)
            .metric("bytes_reclaimed", smaller)
            .metric("bytes_held", if held { self.original.size } else { 0 })
            .metric("bytes_unfinished", figures.tail);
        if planned.idle.is_none() {
            report = objects(report, figures);
        }
        if self.blobs.is_some() {
            report = self.blobs(report, planned);
        }
        report.details(&json!({
            "pack_time": self.stop(),
            "figures": figures,
            "dangling": planned.dangling,
            "estimated": true,
        }))
    }
}

fn objects(report: Report, figures: &Figures) -> Report {
    report
        .metric("objects_kept", figures.objects_kept)
        .metric(
            "objects_removed",
            figures.objects.saturating_sub(figures.objects_kept),
        )
        .metric("references_dangling", figures.dangling)
}
