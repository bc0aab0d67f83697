//! Packing a FileStorage: plan, room, copy aside, check the copy, swap.

use mhost_filestorage::pack::{self as format, Copied, Figures, Idle, Options, Plan, Tail};
use mhost_filestorage::verify::{self, Level, Verdict};
use mhost_filestorage::{Tid, Window, index};
use mhost_sdk::files::Metadata;
use mhost_sdk::units::human_bytes;
use mhost_sdk::{Capped, Context, Doing as _, Failure, Report};
use serde_json::json;

use super::aside::{self, Aside};
use super::{File, Told, blobs, failed, lock, look, open, swap};
use crate::config::{KeepOld, Pack};

/// Packs, into the file's own place or into another.
pub fn pack(context: &Context, path: &str, config: &Pack) -> Result<Report, Failure> {
    let original = look(context, path)?;
    let target = config.output.as_deref().unwrap_or(path);
    let options = Options {
        stop: config.before.tid(context.now())?,
        collect: config.gc,
        blobs: config.blobs.is_some(),
        tail: Tail::LeaveOut,
    };
    let blobs = blobs::Folder::open(context, config.blobs.as_deref())?;
    let in_place = config.output.is_none();
    let _lock = match in_place {
        true => lock::take(context, path)?,
        false => {
            check_output(context, &original, path, target)?;
            lock::take_if_there(context, target)?
        }
    };
    if !context.dry_run() {
        swap::clear(context, target)?;
    }
    let mut file = open(context, path)?;
    let told = &mut Told {
        context,
        name: path,
    };
    let plan =
        format::plan(&mut file, &options, told).map_err(|error| failed("pack", path, error))?;
    if let Some(blobs) = &blobs
        && in_place
    {
        blobs.finish_earlier(&mut file, &plan)?;
    }
    let job = Job {
        context,
        path,
        target,
        in_place,
        original,
        stop: options.stop,
        config,
        blobs,
    };
    note(context, path, &plan);
    match context.dry_run() {
        true => Ok(job.would(&plan)),
        false => job.run(&mut file, plan),
    }
}

/// The output must not be the file itself, nor anything but a FileStorage.
pub fn check_output(
    context: &Context,
    original: &Metadata,
    path: &str,
    output: &str,
) -> Result<(), Failure> {
    let files = context.files();
    let there = files.stat_optional(output);
    let Some(there) = there.doing(|| format!("look at {output}"))? else {
        return Ok(());
    };
    if (there.device, there.inode) == (original.device, original.inode) {
        return Err(Failure::permanent(format!(
            "`output` is {path} itself; name another file, or leave it out to work in place"
        )));
    }
    let mut file = open(context, output)?;
    match mhost_filestorage::scan::magic(&mut file) {
        Ok(_) => Ok(()),
        Err(_) if file.size() == 0 => Ok(()),
        Err(_) => Err(Failure::permanent(format!(
            "{output} is there and is no FileStorage, so it is not replaced; name another file, or remove it"
        ))),
    }
}

/// What the operator should know beside the outcome.
fn note(context: &Context, path: &str, plan: &Plan) {
    let figures = &plan.figures;
    if figures.tail > 0 {
        context.warn(format!(
            "{path} ends in an unfinished transaction of {}, which is left out: a server is writing it, or was when the \
             machine stopped",
            human_bytes(figures.tail)
        ));
    }
    if let Some((from, to)) = plan.dangling.first() {
        context.warn(format!(
            "{} references lead to objects that do not exist; the first: {from} refers to {to}",
            figures.dangling
        ));
    }
}

struct Job<'c, 'h> {
    context: &'c Context<'h>,
    path: &'c str,
    target: &'c str,
    in_place: bool,
    original: Metadata,
    stop: Tid,
    config: &'c Pack,
    blobs: Option<blobs::Folder<'c, 'h>>,
}

impl Job<'_, '_> {
    fn run(&self, file: &mut File<'_>, plan: Plan) -> Result<Report, Failure> {
        let figures = plan.figures.clone();
        if self.in_place && plan.idle.is_some() {
            self.mend_index(file)?;
            return Ok(self.nothing(&figures, plan.idle));
        }
        let gone = plan.blobs.clone();
        let kept = plan.blobs_kept;
        let dangling = plan.dangling.clone();
        let most = match plan.idle {
            Some(_) => figures.bytes,
            None => figures.most_written.min(figures.bytes.saturating_mul(2)),
        };
        let most = most + index::most_bytes(figures.objects + figures.records.min(1 << 20));
        aside::check_room(self.context, self.target, most)?;
        let Some(new) = self.make(file, plan)? else {
            self.mend_index(file)?;
            return Ok(self.nothing(&figures, None));
        };
        let length = new.verdict.bytes;
        let old = self.replace(new, &gone)?;
        let mut removed = blobs::Removed::default();
        if let Some(blobs) = &self.blobs
            && self.in_place
        {
            removed = blobs.remove(&gone, old.as_deref())?;
        }
        let mut forgotten = Vec::new();
        if self.in_place {
            forgotten = swap::forget(self.context, self.path, self.keep_old())?;
            if let Some(blobs) = &self.blobs {
                forgotten.extend(blobs.forget(self.keep_old())?);
            }
        }
        let mut unreferenced = Capped::default();
        if let Some(blobs) = &self.blobs
            && !self.in_place
        {
            blobs.tell(self.target, kept, gone.len());
            gone.iter()
                .for_each(|revision| unreferenced.push(blobs.file(*revision)));
        }
        let mut report = self.report(&figures, length);
        if let Some(old) = &old {
            report = report.artifact("file", old, Some(self.original.size));
        }
        if self.blobs.is_some() {
            let without = gone.len() as u64;
            report = report
                .metric("blobs_kept", kept)
                .metric("blobs_unreferenced", without)
                .metric("blobs_removed", removed.files)
                .metric("blob_bytes_reclaimed", removed.bytes);
        }
        Ok(report.details(&json!({
            "pack_time": self.stop,
            "figures": figures,
            "dangling": dangling,
            "forgotten": forgotten,
            "blobs_unreferenced": unreferenced,
        })))
    }

    /// A run that was cut off between its swap and its index has left none; ZODB would read the whole file.
    fn mend_index(&self, file: &mut File<'_>) -> Result<(), Failure> {
        let path = swap::index_path(self.path);
        let there = self.context.files().stat_optional(&path);
        if there.doing(|| format!("look at {path}"))?.is_some() {
            return Ok(());
        }
        let verdict = verify::verify(file, Level::Pointers, &mut self.told());
        let verdict = verdict.map_err(|error| failed("check", self.path, error))?;
        if !verdict.sound() {
            return Ok(());
        }
        let length = verdict.bytes;
        let index = swap::make_index(
            self.context,
            self.path,
            &verdict.index,
            length,
            &self.original,
        )?;
        index.map_or(Ok(()), |index| index.place(&path))
    }

    /// Writes the new file aside and checks it. `None` where nothing would be gained in place.
    fn make(&self, file: &mut File<'_>, plan: Plan) -> Result<Option<New<'_, '_>>, Failure> {
        let end = plan.figures.bytes;
        let (aside, writing) = Aside::create(self.context, self.target)?;
        let copied = match plan.idle {
            Some(_) => None,
            None => format::copy(file, plan, writing, &mut self.told())
                .map_err(|error| failed("pack", self.path, error))?,
        };
        if copied.is_none() {
            if self.in_place {
                return Ok(None);
            }
            self.take_over(&aside, end)?;
        }
        aside.dress(&self.original)?;
        aside.sync()?;
        let verdict = self.check(&aside, copied.as_ref())?;
        Ok(Some(New { aside, verdict }))
    }

    /// All whole transactions, as they are.
    fn take_over(&self, aside: &Aside<'_, '_>, end: u64) -> Result<(), Failure> {
        let files = self.context.files();
        let emptied = files.truncate(&aside.path, 0);
        emptied.doing(|| format!("empty {}", aside.path))?;
        let copied = files.copy_range(self.path, 0, Some(end), &aside.path, 0);
        let copied = copied.doing(|| format!("copy {}", self.path))?;
        if copied != end {
            return Err(Failure::retryable(format!(
                "{} became shorter while it was copied; nothing was changed",
                self.path
            )));
        }
        Ok(())
    }

    /// Reads the new file as if it were anybody's, and compares it with what was meant to be written.
    fn check(&self, aside: &Aside<'_, '_>, copied: Option<&Copied>) -> Result<Verdict, Failure> {
        let opened = self.context.files().open(&aside.path);
        let opened = opened.doing(|| format!("open {}", aside.path))?;
        let mut window = Window::new(opened)
            .map_err(|error| Failure::retryable(format!("cannot read {}: {error}", aside.path)))?;
        let verdict = verify::verify(&mut window, Level::Pointers, &mut self.told());
        let verdict = verdict.map_err(|error| failed("check", &aside.path, error))?;
        let meant = copied.is_none_or(|copied| {
            let written = (copied.length, copied.transactions, copied.records);
            written == (verdict.bytes, verdict.transactions, verdict.records)
                && copied.index == verdict.index
        });
        // What was wrong in the original's history is still wrong in later transactions that were taken over.
        match verdict.counts[Level::Structure as usize] == 0 && meant {
            true if copied.is_none() || verdict.sound() => Ok(verdict),
            _ => {
                let first = verdict
                    .findings
                    .first()
                    .map(|finding| finding.damage.to_string());
                let first =
                    first.unwrap_or_else(|| "it holds something else than was written".to_owned());
                Err(Failure::retryable(format!(
                    "the new file does not read as it was written ({first}): the disk or the memory may be failing; it \
                     was removed, and nothing was changed"
                )))
            }
        }
    }

    /// The swap. Answers the old file's new name.
    fn replace(
        &self,
        new: New<'_, '_>,
        gone: &[format::Revision],
    ) -> Result<Option<String>, Failure> {
        let New { aside, verdict } = new;
        let index = swap::make_index(
            self.context,
            self.target,
            &verdict.index,
            verdict.bytes,
            &self.original,
        )?;
        self.context.check_cancelled()?;
        if !self.in_place {
            swap::place(self.context, self.target, aside, index)?;
            return Ok(None);
        }
        let old = swap::old_path(self.context, self.path, self.keep_old());
        if let Some(blobs) = &self.blobs {
            blobs.note(gone)?;
        }
        if let Some(old) = &old {
            swap::keep(self.context, self.path, old)?;
        }
        swap::place(self.context, self.path, aside, index)?;
        Ok(old)
    }

    /// As ZODB does, unless something else is asked for.
    fn keep_old(&self) -> KeepOld {
        self.config.keep_old.unwrap_or(KeepOld::Until(true))
    }

    fn told(&self) -> Told<'_, '_> {
        Told {
            context: self.context,
            name: self.path,
        }
    }

    fn report(&self, figures: &Figures, after: u64) -> Report {
        let before = figures.bytes + figures.tail;
        let (long, short) = (human_bytes(before), human_bytes(after));
        let summary = match self.in_place {
            true => format!("packed {} from {long} to {short}", self.path),
            false => format!(
                "packed {} ({long}) into {} ({short})",
                self.path, self.target
            ),
        };
        let report = Report::new(summary)
            .metric("bytes_before", before)
            .metric("bytes_after", after)
            .metric("bytes_reclaimed", before.saturating_sub(after))
            .metric("objects_kept", figures.objects_kept)
            .metric(
                "objects_removed",
                figures.objects.saturating_sub(figures.objects_kept),
            )
            .metric("references_dangling", figures.dangling);
        match self.in_place {
            true => report,
            false => report.artifact("file", self.target, Some(after)),
        }
    }

    /// Nothing is to be done in place.
    fn nothing(&self, figures: &Figures, idle: Option<Idle>) -> Report {
        let why = match idle {
            Some(Idle::Empty) => "holds no object",
            Some(Idle::Young) => "holds nothing as old as the pack time",
            Some(Idle::Packed) => "was packed to this time or a later one already",
            None => "holds nothing that a pack would remove",
        };
        let bytes = figures.bytes + figures.tail;
        Report::new(format!(
            "{} {why}; it stays as it is ({})",
            self.path,
            human_bytes(bytes)
        ))
        .metric("bytes_before", bytes)
        .metric("bytes_after", bytes)
        .metric("bytes_reclaimed", 0_u64)
        .details(&json!({ "pack_time": self.stop, "figures": figures }))
    }

    /// What a dry run says.
    fn would(&self, plan: &Plan) -> Report {
        let figures = &plan.figures;
        if plan.idle.is_some() {
            return self.nothing(figures, plan.idle);
        }
        let before = figures.bytes + figures.tail;
        let after = figures.most_written.min(before);
        let summary = format!(
            "would pack {} from {} to at most {}",
            self.path,
            human_bytes(before),
            human_bytes(after)
        );
        let mut report = Report::new(summary)
            .metric("bytes_before", before)
            .metric("bytes_after", after)
            .metric("bytes_reclaimed", before - after)
            .metric("objects_kept", figures.objects_kept)
            .metric(
                "objects_removed",
                figures.objects.saturating_sub(figures.objects_kept),
            );
        if self.blobs.is_some() {
            report = report
                .metric("blobs_kept", plan.blobs_kept)
                .metric("blobs_unreferenced", plan.blobs.len());
        }
        report.details(&json!({
            "pack_time": self.stop,
            "figures": figures,
            "dangling": plan.dangling,
            "estimated": true,
        }))
    }
}

/// A new file, checked.
struct New<'c, 'h> {
    aside: Aside<'c, 'h>,
    verdict: Verdict,
}
