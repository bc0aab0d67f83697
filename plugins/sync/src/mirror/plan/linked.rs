//! Files with several names: which of them are to be names of one file.

use std::collections::HashMap;

use mhost_sdk::trees::Record;

type Id = (u64, u64);

fn id(record: &Record<'_>) -> Id {
    (record.device(), record.inode())
}

/// What is known of the files with several names.
#[derive(Debug, Default)]
pub struct Linked {
    /// By the source's file: its first name, and the target's file of that name where
    /// that stays.
    leaders: HashMap<Id, (Vec<u8>, Option<Id>)>,
    /// By the target's file: the source's file that it stands for.
    taken: HashMap<Id, Id>,
}

/// What a name of the source is.
pub enum Name {
    /// The first of its file, or the only one.
    First,
    /// A further one; its file is right in the target already.
    Right,
    /// A further one, which is to be linked to this path.
    Further(Vec<u8>),
}

impl Linked {
    /// Looks at a name of a source file, and at what the target has there.
    pub fn name(&self, source: &Record<'_>, there: Option<&Record<'_>>) -> Name {
        if source.links() < 2 {
            return Name::First;
        }
        match self.leaders.get(&id(source)) {
            None => Name::First,
            Some((_, kept)) if kept.is_some() && *kept == there.map(id) => Name::Right,
            Some((leader, _)) => Name::Further(leader.clone()),
        }
    }

    /// Whether the target's file already stands for another file of the source, so that
    /// this name needs one of its own.
    pub fn shared_wrongly(&self, source: &Record<'_>, there: &Record<'_>) -> bool {
        there.links() > 1
            && self
                .taken
                .get(&id(there))
                .is_some_and(|taken| *taken != id(source))
    }

    /// Notes what became of the first name: `there` is the target's file where it stays.
    pub fn note(&mut self, source: &Record<'_>, there: Option<&Record<'_>>) {
        if let Some(there) = there.filter(|there| there.links() > 1) {
            self.taken.insert(id(there), id(source));
        }
        if source.links() > 1 {
            let first = (source.path().to_vec(), there.map(id));
            self.leaders.entry(id(source)).or_insert(first);
        }
    }
}
