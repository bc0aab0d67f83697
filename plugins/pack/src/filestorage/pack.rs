//! Packing a FileStorage. Up to the swap everything is made aside, and can be thrown away ([`making`]); what follows it
//! is done after every run, whether there was anything to pack or not. What is told of it stands in [`telling`].

mod making;
mod telling;

use mhost_filestorage::pack::{self as format, Figures, Idle, Options, Plan, Revision, Tail};
use mhost_filestorage::{Oid, Tid, index, scan};
use mhost_sdk::files::{Kind, Metadata};
use mhost_sdk::units::human_bytes;
use mhost_sdk::{Context, Doing as _, Failure, Report};

pub use making::unlike;

use super::swap::{Forgotten, Placing};
use super::{File, Told, aside, blobs, failed, lock, look, open, swap};
use crate::config::{KeepOld, Pack};

/// Packs, into the file's own place or into another.
pub fn pack(context: &Context, path: &str, config: &Pack) -> Result<Report, Failure> {
    let options = Options {
        stop: config.before.unwrap_or_default().tid(context.now())?,
        collect: config.gc,
        blobs: config.blobs.is_some(),
        tail: Tail::LeaveOut,
    };
    // Before anything is made beside it.
    scan::magic(&mut open(context, path)?).map_err(|error| failed("pack", path, error))?;
    let blobs = config.blobs.as_deref();
    let blobs = blobs
        .map(|blobs| blobs::Folder::open(context, blobs))
        .transpose()?;
    let found = look(context, path)?;
    let place = match config.output.as_deref() {
        None => Place::Here(Kept::choose(context, path, config, blobs.as_ref())?),
        Some(output) => Place::There(output, check_output(context, &found, path, output)?),
    };
    let target = config.output.as_deref().unwrap_or(path);
    let _lock = match &place {
        Place::Here(_) => lock::take(context, path, &found)?,
        Place::There(..) => lock::take_if_there(context, target)?,
    };
    aside::try_out(context, &aside::name(target))?;
    if !context.dry_run() {
        swap::clear(context, target)?;
    }
    // A server may have ended just before the lock was taken.
    let original = look(context, path)?;
    let mut file = open(context, path)?;
    let job = Job {
        context,
        path,
        target,
        place,
        original,
        options,
        blobs,
    };
    let plan = format::plan(&mut file, &options, &mut job.told())
        .map_err(|error| failed("pack", path, error))?;
    job.note(&plan);
    job.go_on(&mut file, plan)
}

/// The output must not be the file itself, nor the name of something else of a FileStorage's; what is there must be one.
fn check_output(
    context: &Context,
    original: &Metadata,
    path: &str,
    output: &str,
) -> Result<Placing, Failure> {
    check_name(output)?;
    let there = context.files().stat_optional(output);
    let Some(there) = there.doing(|| format!("look at {output}"))? else {
        swap::check_names(context, output, None)?;
        return Ok(Placing::New);
    };
    if (there.device, there.inode) == (original.device, original.inode) {
        return Err(Failure::permanent(format!(
            "`output` is {path} itself; name another file, or leave it out to work in place"
        )));
    }
    let other = match there.kind {
        Kind::File => scan::magic(&mut open(context, output)?).is_err(),
        _ => true,
    };
    if other {
        let what = match there.kind {
            Kind::File => "no FileStorage",
            Kind::Directory => "a folder",
            Kind::SymbolicLink => "a symbolic link",
            _ => "no regular file",
        };
        return Err(Failure::permanent(format!(
            "{output} is there and is {what}, so it is not replaced; name another file as `output`, or remove it"
        )));
    }
    swap::check_names(context, output, None)?;
    Ok(Placing::Over)
}

/// Names that mean something beside a FileStorage.
pub fn check_name(output: &str) -> Result<(), Failure> {
    for (ending, what) in [
        (".lock", "a FileStorage's lock"),
        (".index", "a FileStorage's index"),
        (".mhost-new", "a file that mhost is making"),
    ] {
        if output.ends_with(ending) {
            return Err(Failure::misconfigured(format!(
                "`output` is {output}, which is the name of {what}: name another file"
            )));
        }
    }
    Ok(())
}

/// Where the packed file comes to lie.
enum Place<'c> {
    Here(Kept),
    There(&'c str, Placing),
}

/// What becomes of the old file.
struct Kept {
    keep: KeepOld,
    /// What its name ends in, and that of its blobs, if it is kept.
    suffix: Option<String>,
}

impl Kept {
    /// As ZODB does, unless something else is asked for. Looks at the names that the swap will need.
    fn choose(
        context: &Context,
        path: &str,
        config: &Pack,
        blobs: Option<&blobs::Folder<'_, '_>>,
    ) -> Result<Self, Failure> {
        let keep = config.keep_old.unwrap_or(KeepOld::Until(true));
        let attic = blobs.map(blobs::Folder::attic_beginning);
        let beginnings: Vec<_> = std::iter::once(path).chain(attic.as_deref()).collect();
        let kept = Self {
            keep,
            suffix: swap::old_suffix(context, keep, &beginnings)?,
        };
        swap::check_names(context, path, kept.path(path).as_deref())?;
        if let Some(blobs) = blobs {
            blobs.try_out()?;
        }
        Ok(kept)
    }

    fn path(&self, file: &str) -> Option<String> {
        let suffix = self.suffix.as_deref()?;
        Some(format!("{file}{suffix}"))
    }
}

struct Job<'c, 'h> {
    context: &'c Context<'h>,
    path: &'c str,
    target: &'c str,
    place: Place<'c>,
    original: Metadata,
    options: Options,
    blobs: Option<blobs::Folder<'c, 'h>>,
}

/// What the plan said that is still wanted when it is carried out.
struct Planned {
    figures: Figures,
    idle: Option<Idle>,
    dangling: Vec<(Oid, Oid)>,
    /// Blob revisions that go, that stay, and how many files of those are not there.
    gone: Vec<Revision>,
    kept: Vec<Revision>,
    missing: u64,
}

/// What the swap has done.
struct Swapped<'c, 'h> {
    /// Bytes of the new file.
    length: u64,
    /// Its index, which is still aside.
    index: Option<aside::Aside<'c, 'h>>,
    /// The old file's new name.
    old: Option<String>,
    /// Bytes of an older one that had this name.
    replaced: u64,
}

/// What was done after it.
#[derive(Default)]
struct Cleared {
    blobs: blobs::Removed,
    forgotten: Vec<Forgotten>,
}

impl<'c, 'h> Job<'c, 'h> {
    fn go_on(&self, file: &mut File<'_>, plan: Plan) -> Result<Report, Failure> {
        let planned = Planned {
            figures: plan.figures.clone(),
            idle: plan.idle,
            dangling: plan.dangling.clone(),
            gone: plan.blobs.clone(),
            kept: plan.blobs_kept.clone(),
            missing: match &self.blobs {
                Some(blobs) => blobs.missing(&plan.blobs_kept)?,
                None => 0,
            },
        };
        if let (Some(blobs), Place::Here(_)) = (&self.blobs, &self.place) {
            blobs.finish_earlier(file)?;
        }
        let to_write = planned.idle.is_none() || matches!(self.place, Place::There(..));
        if to_write {
            self.check_room(&planned.figures, planned.idle)?;
        }
        if self.context.dry_run() {
            return Ok(self.would(&planned));
        }
        let new = match to_write {
            true => self.make(file, plan)?,
            false => None,
        };
        let swapped = match new {
            Some(new) => Some(self.swap(new, &planned.gone)?),
            None => None,
        };
        self.after(file, &planned, swapped)
    }

    fn check_room(&self, figures: &Figures, idle: Option<Idle>) -> Result<(), Failure> {
        let most = match idle {
            Some(_) => figures.bytes,
            None => figures.most_written.min(figures.bytes.saturating_mul(2)),
        };
        let index = index::most_bytes(figures.objects + figures.records.min(1 << 20));
        aside::check_room(self.context, self.target, most + index)
    }

    /// From here on the file is the new one.
    fn swap(
        &self,
        new: making::New<'c, 'h>,
        gone: &[Revision],
    ) -> Result<Swapped<'c, 'h>, Failure> {
        let length = new.verdict.bytes;
        let index = swap::make_index(
            self.context,
            self.target,
            &new.verdict.index,
            length,
            &self.original,
        )?;
        self.context.check_cancelled()?;
        let kept = match &self.place {
            Place::Here(kept) => kept,
            Place::There(output, placing) => {
                swap::place(self.context, output, new.aside, *placing)?;
                return Ok(Swapped {
                    length,
                    index,
                    old: None,
                    replaced: 0,
                });
            }
        };
        if let Some(blobs) = &self.blobs {
            blobs.prepare(gone, kept.suffix.as_deref())?;
        }
        let old = kept.path(self.path);
        let replaced = self.replaced(old.as_deref())?;
        let unchanged = swap::check_unchanged(self.context, self.path, &self.original);
        if let (Err(_), Some(blobs)) = (&unchanged, &self.blobs) {
            blobs.drop_list()?;
        }
        unchanged?;
        if let Some(old) = &old {
            swap::keep(self.context, self.path, old)?;
        }
        swap::place(self.context, self.path, new.aside, Placing::Over)?;
        Ok(Swapped {
            length,
            index,
            old,
            replaced,
        })
    }

    /// Bytes that come back when another file takes this name.
    fn replaced(&self, old: Option<&str>) -> Result<u64, Failure> {
        let Some(old) = old else {
            return Ok(0);
        };
        let there = self.context.files().stat_optional(old);
        let there = there.doing(|| format!("look at {old}"))?;
        Ok(there
            .filter(|there| there.links == 1)
            .map_or(0, |there| there.size))
    }

    /// After every run: the index, also one that a run that was cut off has not come to write; blobs without a record;
    /// old files that were kept long enough.
    fn after(
        &self,
        file: &mut File<'_>,
        planned: &Planned,
        mut swapped: Option<Swapped<'c, 'h>>,
    ) -> Result<Report, Failure> {
        let mut cleared = Cleared::default();
        let outcome = self.clear(file, planned, swapped.as_mut(), &mut cleared);
        let report = self.report(planned, swapped.as_ref(), &cleared);
        outcome.map_err(|failure| {
            Failure {
                message: format!("{}; but then: {}", report.summary, failure.message),
                ..failure
            }
            .with_partial(report.clone())
        })?;
        Ok(report)
    }

    fn clear(
        &self,
        file: &mut File<'_>,
        planned: &Planned,
        swapped: Option<&mut Swapped<'c, 'h>>,
        cleared: &mut Cleared,
    ) -> Result<(), Failure> {
        let done = swapped.is_some();
        if let Some(swapped) = swapped {
            swap::place_index(self.target, swapped.index.take())?;
        }
        let Place::Here(kept) = &self.place else {
            if let Some(blobs) = &self.blobs {
                blobs.tell(self.target, planned.kept.len(), planned.gone.len());
            }
            return Ok(());
        };
        match (done, &self.blobs) {
            (true, Some(blobs)) => {
                cleared.blobs = blobs.remove(&planned.gone, kept.suffix.as_deref())?;
            }
            (true, None) => {}
            (false, _) => self.mend_index(file)?,
        }
        cleared.forgotten = swap::forget(self.context, self.path, kept.keep)?;
        if let Some(blobs) = &self.blobs {
            cleared.forgotten.extend(blobs.forget(kept.keep)?);
        }
        Ok(())
    }

    /// What the operator should know beside the outcome.
    fn note(&self, plan: &Plan) {
        let figures = &plan.figures;
        if figures.tail > 0 {
            self.context.warn(format!(
                "{} ends in an unfinished transaction of {}: a server is writing it, or was when the machine stopped",
                self.path,
                human_bytes(figures.tail)
            ));
        }
        if let Some((from, to)) = plan.dangling.first() {
            self.context.warn(format!(
                "{} references lead to objects that do not exist; the first: {from} refers to {to}",
                figures.dangling
            ));
        }
    }

    fn told(&self) -> Told<'c, 'h> {
        Told {
            context: self.context,
            name: self.path,
        }
    }

    fn stop(&self) -> Tid {
        self.options.stop
    }
}
