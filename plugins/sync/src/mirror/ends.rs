//! The ends of a mirror: what they are, whether they make sense, and what is remembered
//! of them from run to run.

use mhost_sdk::files::{Kind, Lock, Metadata, join, split};
use mhost_sdk::trees::shown;
use mhost_sdk::{Context, Doing as _, Error, Failure, Optional as _};

use super::config::Mirror;
use super::plan::Rules;

/// One directory and the one that is to be equal to it.
#[derive(Debug, Clone)]
pub struct Pair {
    pub from: String,
    pub to: String,
    /// Whether the target is there already.
    pub there: bool,
    /// Earlier copies that are there, to link to.
    pub copies: Vec<String>,
    /// Places in the target that are none of its content: relative paths.
    pub apart: Vec<Vec<u8>>,
    /// The same in the source, which both ways make a target, too.
    pub apart_here: Vec<Vec<u8>>,
    pub roots: Roots,
}

/// Which directory something is, whatever paths lead there.
pub type Id = (u64, u64);

/// The directories of a pair: two grants may lie in one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roots {
    pub source: Id,
    /// Of the target; where it is not there yet, of what it will lie in.
    pub target: Id,
    /// Whether the target is there.
    pub there: bool,
}

impl Roots {
    /// A directory of the source's tree that is the target, or holds it.
    pub fn holds_target(&self, path: &[u8], id: Id) -> Option<Error> {
        // The source itself may be what holds the target only where that is not there yet.
        let meets = id == self.target && !(path.is_empty() && self.there);
        meets.then(|| nested("the target", "source", path))
    }

    /// A directory of the target's tree that is the source.
    pub fn holds_source(&self, path: &[u8], id: Id) -> Option<Error> {
        let meets = self.there && id == self.source && !path.is_empty();
        meets.then(|| nested("the source", "target", path))
    }
}

fn nested(inner: &str, outer: &str, path: &[u8]) -> Error {
    let place = match path.is_empty() {
        true => String::new(),
        false => format!(" at `{}`", shown(path)),
    };
    Error::Invalid(format!(
        "{inner} lies in the {outer}{place}: nothing was changed; name places apart, or leave that folder out by a filter"
    ))
}

impl Pair {
    /// What the pair's state is kept under.
    pub fn key(&self) -> String {
        format!("mounts {} {}", self.from, self.to)
    }
}

/// All pairs of a configuration, checked.
pub fn pairs(context: &Context<'_>, config: &Mirror) -> Result<Vec<Pair>, Failure> {
    if config.map.is_empty() {
        return Ok(vec![pair(context, config, &config.from, &config.to)?]);
    }
    let below = |top: &str, path: &str| join(top, path.trim_matches('/'));
    let ends = config
        .map
        .iter()
        .map(|one| (below(&config.from, &one.from), below(&config.to, &one.to)));
    let ends: Vec<_> = ends.collect();
    for (n, (_, to)) in ends.iter().enumerate() {
        for (_, other) in &ends[..n] {
            if inside(to, other) || inside(other, to) {
                return Err(Failure::permanent(format!(
                    "`map` leads to {to} and to {other}, of which one lies in the other: each needs a place of its own"
                )));
            }
        }
    }
    ends.iter()
        .map(|(from, to)| pair(context, config, from, to))
        .collect()
}

/// Refuses ends that make no sense.
fn pair(context: &Context<'_>, config: &Mirror, from: &str, to: &str) -> Result<Pair, Failure> {
    let files = context.files();
    let source = files
        .stat(from)
        .doing(|| format!("look at the source {from}"))?;
    directory(&source, "source", from)?;
    let target = files
        .stat_optional(to)
        .doing(|| format!("look at the target {to}"))?;
    if let Some(target) = &target {
        directory(target, "target", to)?;
    }
    let same = |a: &Metadata, b: &Metadata| (a.device, a.inode) == (b.device, b.inode);
    let one = target.as_ref().is_some_and(|target| same(&source, target));
    if let Some(folder) = config
        .backup_dir
        .as_ref()
        .filter(|folder| inside(folder, to))
    {
        return Err(Failure::permanent(format!(
            "`backup_dir` {folder} is the target {to}, or holds it: what is kept there would be lost again; name another"
        )));
    }
    let id = |found: &Metadata| (found.device, found.inode);
    let roots = Roots {
        source: id(&source),
        target: match &target {
            Some(target) => id(target),
            None => id(&nearest(context, to)?),
        },
        there: target.is_some(),
    };
    if one || inside(from, to) || inside(to, from) {
        return Err(Failure::permanent(format!(
            "{from} and {to} are the same directory, or one lies in the other"
        )));
    }
    let apart = |top: &str| {
        let all = config.link_dest.iter().chain(&config.backup_dir);
        all.filter_map(|path| relative(top, path)).collect()
    };
    Ok(Pair {
        from: from.to_owned(),
        to: to.to_owned(),
        there: target.is_some(),
        copies: copies(context, config)?,
        apart: apart(to),
        apart_here: apart(from),
        roots,
    })
}

/// The directory that a target which is not there yet will lie in, as far as it is there.
fn nearest(context: &Context<'_>, path: &str) -> Result<Metadata, Failure> {
    let mut above = path.trim_end_matches('/');
    loop {
        let (next, _) = split(above);
        if next.is_empty() || next == "/" {
            return Err(Failure::permanent(format!(
                "there is no {path}, and no directory above it"
            )));
        }
        above = next;
        let found = context.files().stat_optional(above);
        if let Some(found) = found.doing(|| format!("look at {above}"))? {
            return Ok(found);
        }
    }
}

fn directory(found: &Metadata, end: &str, path: &str) -> Result<(), Failure> {
    match found.kind {
        Kind::Directory => Ok(()),
        _ => Err(Failure::permanent(format!(
            "the {end} {path} is not a directory"
        ))),
    }
}

/// Whether `inner` is `outer` or lies in it.
fn inside(outer: &str, inner: &str) -> bool {
    join(inner, "").starts_with(&join(outer, ""))
}

fn relative(top: &str, path: &str) -> Option<Vec<u8>> {
    let path = path.trim_end_matches('/');
    let rest = path.strip_prefix(&join(top, ""))?;
    (!rest.is_empty()).then(|| rest.as_bytes().to_vec())
}

fn copies(context: &Context<'_>, config: &Mirror) -> Result<Vec<String>, Failure> {
    let mut there = Vec::new();
    for path in &config.link_dest {
        let found = context.files().stat_optional(path);
        match found.doing(|| format!("look at {path}"))? {
            Some(found) => {
                directory(&found, "earlier copy", path)?;
                there.push(path.clone());
            }
            // The first snapshot has nothing to link to.
            None => context.warn(format!("there is no earlier copy {path}")),
        }
    }
    Ok(there)
}

/// Holds other mirrors off the targets while this one works.
pub fn lock<'h>(
    context: &'h Context<'_>,
    pairs: &[Pair],
    both_ways: bool,
) -> Result<Vec<Box<dyn Lock + 'h>>, Failure> {
    let mut locks = Vec::new();
    if context.dry_run() {
        return Ok(locks);
    }
    let targets = pairs.iter().filter(|pair| pair.there).map(|pair| &pair.to);
    let sources = pairs.iter().map(|pair| &pair.from).filter(|_| both_ways);
    for end in targets.chain(sources) {
        match context.trees().lock(end) {
            Ok(lock) => locks.push(lock),
            // Nothing can change there; whether something must is seen later.
            Err(Error::Denied(_)) => {}
            Err(error) => {
                return Err(error).doing(|| format!("have {end} for this run alone"));
            }
        }
    }
    Ok(locks)
}

/// How the ends are compared.
pub fn rules(context: &Context<'_>, config: &Mirror, pair: &Pair) -> Result<Rules, Failure> {
    let look = |path: &str| {
        context
            .trees()
            .look(path)
            .doing(|| format!("look at {path}"))
    };
    // What is not there yet will lie on the file system of what is above it.
    let mut target = pair.to.as_str();
    while !pair.there && context.files().stat_optional(target)?.is_none() {
        let (above, _) = split(target);
        if above == "/" || above.is_empty() {
            break;
        }
        target = above;
    }
    Ok(Rules::new(config, look(&pair.from)?, look(target)?))
}

/// Makes the target where it is missing, with the directories above it.
pub fn make(context: &Context<'_>, pair: &Pair) -> Result<(), Failure> {
    match pair.there {
        true => Ok(()),
        false => make_directory(context, &pair.to),
    }
}

/// Makes a directory where it is missing, with those above it.
pub fn make_directory(context: &Context<'_>, path: &str) -> Result<(), Failure> {
    if context.files().stat_optional(path)?.is_some() {
        return Ok(());
    }
    let mut missing = vec![path.trim_end_matches('/')];
    while let Some(path) = missing.last() {
        let (above, _) = split(path);
        if above == "/" || above.is_empty() || context.files().stat_optional(above)?.is_some() {
            break;
        }
        missing.push(above);
    }
    for path in missing.iter().rev() {
        context
            .files()
            .create_directory(path)
            .unless_dry_run()
            .doing(|| format!("make {path}"))?;
        if context.dry_run() {
            break;
        }
    }
    Ok(())
}

/// The mount points that the source had when it was mirrored last.
pub fn remembered(context: &Context<'_>, key: &str) -> Result<Vec<Vec<u8>>, Failure> {
    let mounts = context.state().get_json(key);
    Ok(mounts
        .doing(|| "read what is remembered of the source".to_owned())?
        .unwrap_or_default())
}

/// Remembers them; nothing is written where nothing changed.
pub fn remember(context: &Context<'_>, key: &str, mounts: &[Vec<u8>]) -> Result<(), Failure> {
    if context.dry_run() || remembered(context, key)? == mounts {
        return Ok(());
    }
    let kept = match mounts.is_empty() {
        true => context.state().delete(key),
        false => context.state().set_json(key, &mounts),
    };
    kept.doing(|| "remember the source's mount points".to_owned())
}
