//! The new file, aside: written, made durable, read again and compared with what was meant.

use mhost_filestorage::pack as format;
use mhost_filestorage::verify::{self, Level, Verdict};
use mhost_filestorage::{Error as FormatError, Written};
use mhost_sdk::files::HashAlgorithm;
use mhost_sdk::{Doing as _, Failure};

use super::super::aside::Aside;
use super::super::{File, failed, swap};
use super::{Job, Place};

/// A new file, checked.
pub struct New<'c, 'h> {
    pub aside: Aside<'c, 'h>,
    pub verdict: Verdict,
}

impl<'c, 'h> Job<'c, 'h> {
    /// Writes the new file aside and checks it. `None` where nothing would be gained in place.
    pub fn make(
        &self,
        file: &mut File<'_>,
        plan: format::Plan,
    ) -> Result<Option<New<'c, 'h>>, Failure> {
        let (end, dangling) = (plan.figures.bytes, plan.figures.dangling);
        let (aside, writing) = Aside::create(self.context, self.target)?;
        let copied = match plan.idle {
            Some(_) => None,
            None => format::copy(file, plan, writing, &mut self.told())
                .map_err(|error| failed("pack", self.path, error))?,
        };
        if copied.is_none() {
            if matches!(self.place, Place::Here(_)) {
                return Ok(None);
            }
            self.take_over(&aside, end)?;
        }
        aside.dress(&self.original)?;
        aside.sync()?;
        let verdict = match &copied {
            Some(written) => self.check(file, &aside, written, dangling)?,
            None => self.check_taken_over(&aside, end)?,
        };
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

    fn check_taken_over(&self, aside: &Aside<'_, '_>, end: u64) -> Result<Verdict, Failure> {
        let hash = |path: &str| {
            let hash = self
                .context
                .files()
                .hash(path, HashAlgorithm::Blake3, 0, Some(end));
            hash.doing(|| format!("read {path}"))
        };
        let same = hash(self.path)? == hash(&aside.path)?;
        let verdict = verify::verify(&mut aside.read_back()?, Level::Structure, &mut self.told());
        let verdict = verdict.map_err(|error| failed("check", &aside.path, error))?;
        match same && verdict.sound() && verdict.bytes == end {
            true => Ok(verdict),
            false => Err(unlike("it holds something else than the original")),
        }
    }

    /// Reads the new file as if it were anybody's, and compares it with what was meant to be written.
    fn check(
        &self,
        file: &mut File<'_>,
        aside: &Aside<'_, '_>,
        written: &Written,
        dangling: u64,
    ) -> Result<Verdict, Failure> {
        let mut read = aside.read_back()?;
        let fail = |error| failed("check", &aside.path, error);
        let verdict =
            verify::with_checksum(&mut read, Level::References, &mut self.told()).map_err(fail)?;
        let meant = (written.length, written.transactions, written.records);
        let same = (verdict.bytes, verdict.transactions, verdict.records) == meant
            && written.index == verdict.index;
        if !same {
            return Err(unlike("it holds something else than was written"));
        }
        let wrong = |level: Level| verdict.counts[level as usize] > 0;
        // Without collection the data are not looked into: what cannot be read is kept as it is.
        let unreadable = self.options.collect && wrong(Level::Records);
        if wrong(Level::Structure) || wrong(Level::Pointers) || unreadable {
            let first = verdict.findings.first();
            let first = first.map(|finding| finding.damage.to_string());
            return Err(unlike(&first.unwrap_or_default()));
        }
        if verdict.checksum != Some(written.checksum) {
            return Err(unlike("its checksum is another one"));
        }
        self.check_references(file, &verdict, dangling)?;
        Ok(verdict)
    }

    /// What objects refer to that can be reached now must be there, unless the original has not had it either. The plan
    /// has looked up to the pack time; only where there is more is the original asked.
    fn check_references(
        &self,
        file: &mut File<'_>,
        verdict: &Verdict,
        planned: u64,
    ) -> Result<(), Failure> {
        let found = verdict.counts[Level::References as usize];
        if found <= planned {
            return Ok(());
        }
        let before = match format::dangling(file, &mut self.told()) {
            Ok(dangling) => dangling.count,
            // There is nothing to compare with.
            Err(FormatError::Damaged(_)) => return Ok(()),
            Err(error) => return Err(failed("check", self.path, error)),
        };
        if found <= before {
            return Ok(());
        }
        let first = verdict
            .findings
            .iter()
            .find(|finding| finding.level == Level::References);
        Err(Failure::permanent(format!(
            "the new file lacks objects that {} has, which is a mistake of this plugin's: {}; it was removed, and nothing was \
             changed; please report it",
            self.path,
            first.map_or(String::new(), |first| first.damage.to_string())
        )))
    }

    /// A run that was cut off between its swap and its index has left none; ZODB would read the whole file.
    pub fn mend_index(&self, file: &mut File<'_>) -> Result<(), Failure> {
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
        let index = swap::make_index(
            self.context,
            self.path,
            &verdict.index,
            verdict.bytes,
            &self.original,
        )?;
        swap::place_index(self.path, index)
    }
}

/// The new file is not what it should be.
pub fn unlike(why: &str) -> Failure {
    Failure::retryable(format!(
        "the new file does not read as it was written ({why}): the disk or the memory may be failing; it was removed, and \
         nothing was changed"
    ))
}
