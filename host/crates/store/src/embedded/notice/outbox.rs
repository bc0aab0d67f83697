//! Letters: posted with what they tell, kept until they were delivered, and for a while
//! after, so that it can be seen what was told.

use std::collections::{BTreeMap, BTreeSet};

use mhost_model::alert::Attachment;
use mhost_model::notify::Event;
use mhost_model::task::Task;
use mhost_model::{Instant, Name};
use redb::{ReadableTable, ReadableTableMetadata};

use super::super::read::Snapshot;
use super::super::record::{Enclosure, decode, encode, get, millis};
use super::super::tables::{ENCLOSURES, LETTERS, OUTBOX};
use super::super::trouble::{Res, Trouble};
use super::super::tx::Tx;
use super::route::Audience;
use crate::{Came, Letter, LetterState, Posting, Tried};

/// So many letters are kept after they were delivered.
const KEPT: u64 = 1000;
/// So many more may be there before they go.
const SHED: u64 = 100;
/// A message is known again for so long, milliseconds.
const ONCE: i64 = 7 * 24 * 60 * 60 * 1000;

impl Tx<'_> {
    /// Posts an event to all who want to know; answers how many letters that makes.
    pub(super) fn tell(&mut self, task: &Task, event: &Event, audience: Audience) -> Res<u32> {
        let channels = self.routes()?.channels(task, event, audience);
        let mut told = 0;
        for channel in channels {
            self.put_letter(channel, event.clone(), &[])?;
            told += 1;
        }
        Ok(told)
    }

    fn put_letter(&mut self, channel: Name, event: Event, files: &[Attachment]) -> Res<()> {
        let newest = self.tables.letters.last()?.map(|(id, _)| id.value());
        let letter = Letter {
            id: newest.unwrap_or(0) + 1,
            channel,
            event,
            created_at: self.now,
            state: LetterState::Waiting,
            attempts: 0,
            retry_at: None,
            error: None,
        };
        self.tables.outbox.put(letter.id, ())?;
        for (number, file) in (0..).zip(files) {
            let bytes = encode(&Enclosure::from(file))?;
            self.tables
                .enclosures
                .put((letter.id, number), bytes.as_slice())?;
        }
        self.save_letter(&letter)?;
        self.shed_letters(letter.id)
    }

    fn save_letter(&mut self, letter: &Letter) -> Res<()> {
        let bytes = encode(letter)?;
        self.tables.letters.put(letter.id, bytes.as_slice())
    }

    /// Lets the oldest letters go that nobody waits for, some at a time, as those that wait
    /// are passed over; the newest always stays, so that no id is given twice.
    fn shed_letters(&mut self, newest: u64) -> Res<()> {
        let told = self
            .tables
            .letters
            .len()?
            .saturating_sub(self.tables.outbox.len()?);
        if told < KEPT + SHED {
            return Ok(());
        }
        let excess = usize::try_from(told - KEPT).unwrap_or(usize::MAX);
        let mut old = Vec::new();
        for row in self.tables.letters.iter()? {
            let id = row?.0.value();
            if old.len() == excess || id == newest {
                break;
            }
            if self.tables.outbox.get(id)?.is_none() {
                old.push(id);
            }
        }
        for id in old {
            self.tables.letters.remove(id)?;
        }
        Ok(())
    }

    pub fn post(&mut self, posting: &Posting) -> Res<bool> {
        if let Some((task, id)) = &posting.once {
            self.forget_posted()?;
            let key = (task.0, posting.channel.as_str(), id.as_str());
            if self.tables.posted.get(key)?.is_some() {
                return Ok(false);
            }
            self.tables.posted.put(key, self.now_ms())?;
        }
        self.put_letter(
            posting.channel.clone(),
            posting.event.clone(),
            &posting.files,
        )?;
        Ok(true)
    }

    /// Messages are sent seldom, so what is too old is looked for with each.
    fn forget_posted(&mut self) -> Res<()> {
        let before = self.now_ms().saturating_sub(ONCE);
        let mut old = Vec::new();
        for row in self.tables.posted.iter()? {
            let (key, at) = row?;
            let (task, channel, id) = key.value();
            if at.value() < before {
                old.push((task, channel.to_owned(), id.to_owned()));
            }
        }
        for (task, channel, id) in old {
            self.tables
                .posted
                .remove((task, channel.as_str(), id.as_str()))?;
        }
        Ok(())
    }

    pub fn tried(&mut self, tried: &[Tried]) -> Res<()> {
        for one in tried {
            for id in &one.letters {
                self.tried_one(*id, one)?;
            }
        }
        Ok(())
    }

    fn tried_one(&mut self, id: u64, tried: &Tried) -> Res<()> {
        let letter: Option<Letter> = get(&*self.tables.letters, id)?;
        let mut letter = letter.ok_or_else(|| Trouble::not_found("letter", id))?;
        if letter.state != LetterState::Waiting {
            return Ok(());
        }
        let at = tried.at;
        letter.attempts = letter.attempts.saturating_add(1);
        match &tried.came {
            Came::Delivered => {
                let with = tried.letters.first().copied().unwrap_or(id);
                letter.state = LetterState::Delivered { at, with };
                (letter.error, letter.retry_at) = (None, None);
            }
            Came::Failed { why, retry_at } => {
                letter.error = Some(why.clone());
                letter.retry_at = Some(*retry_at);
            }
            Came::GivenUp { why } => {
                letter.state = LetterState::GivenUp { at };
                letter.error = Some(why.clone());
                letter.retry_at = None;
            }
        }
        if letter.state != LetterState::Waiting {
            self.tables.outbox.remove(id)?;
            self.drop_enclosures(id)?;
        }
        self.save_letter(&letter)
    }

    fn drop_enclosures(&mut self, letter: u64) -> Res<()> {
        let range = (letter, 0)..=(letter, u64::MAX);
        let keys = self.tables.enclosures.range(range)?;
        let keys: Vec<u64> = keys.map(|row| Ok(row?.0.value().1)).collect::<Res<_>>()?;
        for number in keys {
            self.tables.enclosures.remove((letter, number))?;
        }
        Ok(())
    }
}

impl Snapshot {
    pub fn waiting_letters(&self, limit: usize) -> Res<Vec<Letter>> {
        let letters = self.txn().open_table(LETTERS)?;
        let outbox = self.txn().open_table(OUTBOX)?;
        let rows = outbox.iter()?.take(limit);
        let found = rows.map(|row| {
            let id = row?.0.value();
            get(&letters, id)?.ok_or_else(|| Trouble::dangling("letter", id))
        });
        found.collect()
    }

    pub fn waiting_by_channel(&self, each: usize, but: &BTreeSet<Name>) -> Res<Vec<Letter>> {
        let letters = self.txn().open_table(LETTERS)?;
        let outbox = self.txn().open_table(OUTBOX)?;
        let mut counts: BTreeMap<Name, usize> = BTreeMap::new();
        let mut found = Vec::new();
        for row in outbox.iter()? {
            let id = row?.0.value();
            let letter: Option<Letter> = get(&letters, id)?;
            let letter = letter.ok_or_else(|| Trouble::dangling("letter", id))?;
            if but.contains(&letter.channel) {
                continue;
            }
            let count = counts.entry(letter.channel.clone()).or_default();
            *count += 1;
            if *count <= each {
                found.push(letter);
            }
        }
        Ok(found)
    }

    pub fn letters(&self, limit: usize) -> Res<Vec<Letter>> {
        let letters = self.txn().open_table(LETTERS)?;
        let rows = letters.iter()?.rev().take(limit);
        rows.map(|row| decode(row?.1.value())).collect()
    }

    pub fn delivered_since(&self, since: Instant) -> Res<Vec<(Name, Instant)>> {
        let letters = self.txn().open_table(LETTERS)?;
        let mut found = Vec::new();
        for row in letters.iter()? {
            let letter: Letter = decode(row?.1.value())?;
            if let LetterState::Delivered { at, with } = letter.state
                && with == letter.id
                && millis(at) > millis(since)
            {
                found.push((letter.channel, at));
            }
        }
        Ok(found)
    }

    pub fn enclosures(&self, letter: u64) -> Res<Vec<Attachment>> {
        let table = self.txn().open_table(ENCLOSURES)?;
        let rows = table.range((letter, 0)..=(letter, u64::MAX))?;
        let files = rows.map(|row| decode::<Enclosure>(row?.1.value()).map(Attachment::from));
        files.collect()
    }
}
