//! Which options are for which kind of target: one that is for another kind is a mistake, and never passed over.

use mhost_sdk::Failure;

/// A kind of target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Database,
    FileStorage,
    Zope,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Database => "a database",
            Self::FileStorage => "a FileStorage",
            Self::Zope => "a server",
        }
    }
}

/// An option as it stands in the configuration.
pub struct Given {
    name: &'static str,
    given: bool,
    kinds: &'static [Kind],
}

impl Given {
    /// `given` is whether it says something else than when it is left out.
    pub fn new(name: &'static str, given: bool, kinds: &'static [Kind]) -> Self {
        Self { name, given, kinds }
    }
}

/// Refuses what is for another kind.
pub fn only_for(kind: Kind, options: &[Given]) -> Result<(), Failure> {
    let wrong = options
        .iter()
        .find(|option| option.given && !option.kinds.contains(&kind));
    let Some(wrong) = wrong else {
        return Ok(());
    };
    let kinds: Vec<_> = wrong.kinds.iter().map(|kind| kind.name()).collect();
    let why = match kind {
        Kind::Zope => ", which packs its own files as its own configuration says",
        _ => "",
    };
    Err(Failure::misconfigured(format!(
        "`{}` is for {}, and means nothing to {}{why}: leave it out",
        wrong.name,
        kinds.join(" and "),
        kind.name()
    )))
}
