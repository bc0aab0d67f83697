//! Kinds of other plugins: an item is handed on whole, into the queue of the task that applies
//! it, and is done here once it is done there. That task has grants of its own, so a plugin
//! that adds a kind reaches nothing through this one.

use mhost_sdk::{Context, Error, Failure, Result};

use super::super::item::{self, Header, Noun};
use super::super::transfer::directory::Directory;
use super::super::transfer::{Outgoing, There};
use super::{Item, Outcome};

/// See the module.
pub struct Importer<'a> {
    context: &'a Context<'a>,
    there: Directory<'a>,
    nouns: Vec<Noun>,
}

impl<'a> Importer<'a> {
    pub fn new(
        context: &'a Context<'a>,
        queue: &'a str,
        kinds: &[String],
    ) -> std::result::Result<Self, Failure> {
        let noun = |kind: &String| {
            Noun::new(kind).ok_or_else(|| {
                Failure::permanent(format!(
                    "`{kind}` in `kinds` is no kind: write `mail` for `put-mail` and `delete-mail`"
                ))
            })
        };
        if kinds.is_empty() {
            return Err(Failure::permanent(format!(
                "the importer with the queue {queue} needs `kinds`: what it takes"
            )));
        }
        Ok(Self {
            context,
            there: Directory::new(context, queue),
            nouns: kinds
                .iter()
                .map(noun)
                .collect::<std::result::Result<_, _>>()?,
        })
    }

    fn send(&self, item: &Item<'_>, name: &str) -> Result<Outcome> {
        self.there.check()?;
        self.there.send(&Outgoing {
            name: name.to_owned(),
            size: self.context.files().stat(item.path)?.size,
            path: item.path.to_owned(),
        })?;
        Ok(Outcome::Handed)
    }
}

impl super::Importer for Importer<'_> {
    fn takes(&self, header: &Header) -> bool {
        self.nouns.contains(&header.kind.noun)
    }

    fn apply(&self, item: &Item<'_>) -> Result<Outcome> {
        let name = name(&item.opened.header);
        match self.there.look(&name)? {
            Some(There::Done) => Ok(Outcome::Changed),
            Some(There::Waiting) => Ok(Outcome::Handed),
            // What was an error there before is tried again once it is tried again here.
            Some(There::Error(reason)) if item.begun => Err(Error::Failed(reason)),
            Some(There::Error(_)) | None => self.send(item, &name),
        }
    }
}

/// The item's name there: items of several ends come together, each with its own numbers.
fn name(header: &Header) -> String {
    let of = item::digest(format!("{} {}", header.source, header.key).as_bytes());
    format!("{:020}-{}-{}.item", header.sequence, header.kind, &of[..12])
}
