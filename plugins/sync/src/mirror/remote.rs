//! A mirror with a remote at one end or both: an SFTP server, S3, WebDAV, a folder. What such
//! places have in common is kept: files with their contents, and folders. Modes, owners, links
//! and the like are not, and links and special files are left out and listed.
//!
//! `place` is an end, whatever it is; `compare` decides, from two listings; `carry` does it;
//! `memory` is what both ends had when a file was the same on both.

mod carry;
mod compare;
mod directory;
mod memory;
mod place;
mod store;

use mhost_sdk::{Context, Doing as _, Failure, Report};

use super::apply::Tally;
use super::brake;
use super::config::{DeleteWhen, Delta, Links, Mirror, Verify};
use super::ends;
use super::filter::Filter;
use super::plan::Plan;
use super::report::{self, Seen};
use carry::Carry;
use compare::{Compared, Quick};
use directory::Directory;
use memory::Memory;
use place::{Place, Tree};
use store::Store;

/// Whether an end is on a remote: `NAME:PATH`, while a guest path begins with a slash.
pub fn is_remote(end: &str) -> bool {
    !end.starts_with('/') && end.contains(':')
}

/// Refuses what no remote keeps, rather than passing it over.
fn check(config: &Mirror) -> Result<(), Failure> {
    let refused = [
        (config.both_ways, "`both_ways`"),
        (!config.map.is_empty(), "`map`: make a task for each folder"),
        (config.backup_dir.is_some(), "`backup_dir`"),
        (!config.link_dest.is_empty(), "`link_dest`"),
        (config.renames, "`renames`"),
        (config.delta != Delta::Off, "`delta`"),
        (config.bandwidth.is_some(), "`bandwidth`"),
        (
            config.update,
            "`update`: a remote's times are those of the copies",
        ),
        (
            !config.times,
            "`times = false`: by them it is known what changed",
        ),
        (config.sparse, "`sparse`"),
        (
            config.links == Links::Safe,
            "`links = \"safe\"`: links are left out in any case",
        ),
        (
            config.delete_when == DeleteWhen::During,
            "`delete_when = \"during\"`",
        ),
    ];
    match refused.into_iter().find(|(refused, _)| *refused) {
        Some((_, text)) => Err(Failure::permanent(format!(
            "a mirror with a remote does not go together with {text}"
        ))),
        None => Ok(()),
    }
}

fn open<'c>(
    context: &'c Context<'c>,
    config: &'c Mirror,
    end: &'c str,
) -> Result<Box<dyn Place + 'c>, Failure> {
    Ok(match end.split_once(':') {
        Some((name, path)) if is_remote(end) => {
            let remote = context
                .remote(name)
                .doing(|| format!("open the remote `{name}`"))?;
            Box::new(Store::new(remote, end, path))
        }
        _ => Box::new(Directory::new(context, config, end)),
    })
}

/// Makes `to` equal to `from`.
pub fn run(context: &Context<'_>, config: &Mirror, filter: &Filter) -> Result<Report, Failure> {
    check(config)?;
    let source = open(context, config, &config.from)?;
    let target = open(context, config, &config.to)?;
    if is_remote(&config.from) && is_remote(&config.to) {
        let below = |end: &str| format!("{}/", end.trim_end_matches('/'));
        let (from, to) = (below(&config.from), below(&config.to));
        if from.starts_with(&to) || to.starts_with(&from) {
            return Err(Failure::permanent(format!(
                "{} and {} are the same place, or one lies in the other",
                config.from, config.to
            )));
        }
    }
    let here = list(&*source)?;
    if !here.there {
        return Err(Failure::permanent(format!(
            "there is no source {}",
            config.from
        )));
    }
    let there = list(&*target)?;
    let _lock = match !there.there || is_remote(&config.to) || context.dry_run() {
        true => None,
        false => {
            let lock = context.trees().lock(&config.to);
            Some(lock.doing(|| format!("have {} for this run alone", config.to))?)
        }
    };
    let memory = Memory::read(context, config)?;
    let mut compared = decide(
        config,
        filter,
        &memory,
        (&*source, &here),
        (&*target, &there),
    )?;
    let words = brake::Ends {
        from: &config.from,
        to: &config.to,
    };
    brake::check_numbers(config, &words, compared.removals(), compared.counts)?;
    let mut seen = Seen::default();
    seen.add(&noted(&mut compared, &here, &there));
    let mut tally = Tally::default();
    let mut carry = Carry::new(
        context,
        config,
        (&*source, &here),
        (&*target, &there),
        &mut tally,
    );
    let outcome = carry.all(&compared);
    let mut kept = carry.kept;
    let outcome =
        outcome.and_then(|()| verify(context, config, filter, (&*source, &*target), &mut tally));
    let report = report::conclude(context, outcome, tally, seen);
    if !context.dry_run() {
        kept.extend(compared.same);
        memory.renew(context, config, kept)?;
    }
    report
}

fn list(place: &dyn Place) -> Result<Tree, Failure> {
    place.list().doing(|| format!("list {}", place.name()))
}

fn decide(
    config: &Mirror,
    filter: &Filter,
    memory: &Memory,
    (source, here): (&dyn Place, &Tree),
    (target, there): (&dyn Place, &Tree),
) -> Result<Compared, Failure> {
    let quick = Quick {
        config,
        memory,
        to_remote: is_remote(&config.to),
    };
    let mut contents = |path: &str| Ok(source.digest(path)? == target.digest(path)?);
    compare::compare(config, filter, &quick, here, there, &mut contents)
        .doing(|| format!("compare {} with {}", source.name(), target.name()))
}

/// What was seen, for the report that all mirrors have.
fn noted(compared: &mut Compared, here: &Tree, there: &Tree) -> Plan {
    let others = here.others.iter().map(|path| path.0.clone());
    let mut left_out: Vec<_> = others.collect();
    left_out.append(&mut compared.left_out);
    Plan {
        counts: compared.counts,
        left_out,
        unread: here.unread.clone(),
        unread_there: there.unread.clone(),
        blocked: std::mem::take(&mut compared.blocked),
        ..Plan::default()
    }
}

/// Compares once more, as far as is wanted.
fn verify(
    context: &Context<'_>,
    config: &Mirror,
    filter: &Filter,
    (source, target): (&dyn Place, &dyn Place),
    tally: &mut Tally,
) -> Result<(), Failure> {
    if context.dry_run() || config.verify == Verify::Off {
        return Ok(());
    }
    for path in std::mem::take(&mut tally.to_verify) {
        context.check_cancelled()?;
        let text = String::from_utf8_lossy(&path);
        let same = source
            .digest(&text)
            .and_then(|digest| Ok(digest == target.digest(&text)?));
        report::verified(context, tally, &path, same);
    }
    if config.verify == Verify::All {
        let thorough = Mirror {
            checksum: true,
            ..config.clone()
        };
        let (here, there) = (list(source)?, list(target)?);
        let ends = ((source, &here), (target, &there));
        let compared = decide(&thorough, filter, &Memory::default(), ends.0, ends.1)?;
        for path in compared.paths() {
            report::differs(context, tally, &path.0);
        }
    }
    Ok(())
}

/// Makes a directory of this machine that is to be a target.
fn make(context: &Context<'_>, root: &str) -> Result<(), Failure> {
    ends::make_directory(context, root)
}
