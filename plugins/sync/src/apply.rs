//! Does the steps of a plan, one by one: a step that fails does not keep the others
//! from being done, but the run says so in the end.

use mhost_sdk::files::{Changes, CopyOptions, Files, Metadata, join, split};
use mhost_sdk::progress::Unit;
use mhost_sdk::{Capped, Context, Error, Failure, Optional as _, Result};
use serde::Serialize;

use crate::listing::{Listing, Path};
use crate::plan::{Plan, Step};

/// What was done.
#[derive(Debug, Default)]
pub struct Done {
    pub copied: u64,
    pub bytes: u64,
    pub linked: u64,
    pub created: u64,
    pub deleted: u64,
    pub metadata: u64,
    pub steps: Capped<Step>,
    pub errors: Capped<Refused>,
    /// The first refusal, which decides the exit code.
    pub cause: Option<Error>,
}

/// A step that failed.
#[derive(Debug, Serialize)]
pub struct Refused {
    #[serde(flatten)]
    pub step: Step,
    pub error: String,
}

/// The two trees.
pub struct Apply<'a> {
    pub context: &'a Context<'a>,
    pub from: &'a str,
    pub to: &'a str,
    pub source: &'a Listing,
    pub total: u64,
    pub done: Done,
}

impl Apply<'_> {
    /// All of it; ends early only where going on makes no sense.
    pub fn all(&mut self, plan: &Plan) -> std::result::Result<(), Failure> {
        let deletions = &plan.delete;
        for step in plan.clear.iter().chain(&plan.make) {
            self.step(step)?;
        }
        // A failed copy may have been a rename of what would be removed now.
        if self.done.errors.is_empty() {
            for step in deletions {
                self.step(step)?;
            }
        }
        for path in &plan.finish {
            let outcome = self.finish(path);
            self.note(&Step::Metadata(path.clone()), outcome)?;
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) -> std::result::Result<(), Failure> {
        self.context.check_cancelled()?;
        let outcome = self.perform(step);
        if outcome.is_ok() {
            self.done.steps.push(step.clone());
        }
        self.note(step, outcome)
    }

    /// Remembers a failure; passes on one that every further step would meet again.
    fn note(&mut self, step: &Step, outcome: Result<()>) -> std::result::Result<(), Failure> {
        let Err(error) = outcome else {
            return Ok(());
        };
        let fatal = matches!(
            error,
            Error::Denied(_) | Error::Limit(_) | Error::TimedOut(_)
        );
        self.context.error(format!("{}: {error}", step.path()));
        self.done.errors.push(Refused {
            step: step.clone(),
            error: error.to_string(),
        });
        self.done.cause.get_or_insert_with(|| error.clone());
        if fatal { Err(error.into()) } else { Ok(()) }
    }

    fn files(&self) -> &dyn Files {
        self.context.files()
    }

    fn perform(&mut self, step: &Step) -> Result<()> {
        let target = join(self.to, step.path());
        match step {
            Step::CreateDirectory(_) => {
                self.files().create_directory(&target).unless_dry_run()?;
                self.done.created += 1;
            }
            Step::Copy(path) => self.copy(path, &target)?,
            Step::Link(path) => {
                self.link(path, &target)?;
                self.done.linked += 1;
            }
            Step::Metadata(path) => {
                self.set_metadata(path, &target)?;
                self.done.metadata += 1;
            }
            Step::Delete(_) => {
                self.files()
                    .remove_file(&target)
                    .optional()
                    .unless_dry_run()?;
                self.done.deleted += 1;
            }
            Step::DeleteDirectory(_) => {
                self.files()
                    .remove_directory(&target)
                    .optional()
                    .unless_dry_run()?;
                self.done.deleted += 1;
            }
        }
        Ok(())
    }

    /// The host puts the new file in its place whole, with mode, owner and times.
    fn copy(&mut self, path: &str, target: &str) -> Result<()> {
        let options = CopyOptions {
            replace: true,
            preserve: true,
        };
        let copied = self
            .files()
            .copy(&join(self.from, path), target, options)
            .unless_dry_run()?;
        let planned = || {
            self.source
                .things
                .get(&Path(path.to_owned()))
                .map_or(0, |thing| thing.metadata.size)
        };
        self.done.bytes += copied.unwrap_or_else(planned);
        self.done.copied += 1;
        self.context
            .report_progress("copying", self.done.bytes, Some(self.total), Unit::Bytes);
        Ok(())
    }

    /// Made aside and renamed, so that a link that is there is replaced at once.
    fn link(&self, path: &str, target: &str) -> Result<()> {
        let text = self
            .source
            .things
            .get(&Path(path.to_owned()))
            .and_then(|thing| thing.link.clone());
        let (folder, name) = split(target);
        let aside = join(folder, &format!(".{name}.mhost-link"));
        // Left over from a run that was cut off.
        self.files()
            .remove_file(&aside)
            .optional()
            .unless_dry_run()?;
        self.files()
            .symbolic_link(&text.unwrap_or_default(), &aside)
            .unless_dry_run()?;
        self.files().replace(&aside, target).unless_dry_run()?;
        Ok(())
    }

    fn set_metadata(&self, path: &str, target: &str) -> Result<()> {
        match self.source.things.get(&Path(path.to_owned())) {
            Some(thing) => apply_metadata(self.files(), target, &thing.metadata),
            None => Ok(()),
        }
    }

    fn finish(&self, path: &str) -> Result<()> {
        self.set_metadata(path, &join(self.to, path))
    }
}

fn apply_metadata(files: &dyn Files, target: &str, wanted: &Metadata) -> Result<()> {
    let changes = Changes {
        mode: Some(wanted.mode),
        uid: None,
        gid: None,
        modified: Some(wanted.modified),
        accessed: None,
    };
    files
        .set_metadata(target, changes)
        .unless_dry_run()
        .map(|_| ())
}
