//! The action `mirror`: makes one tree equal to another.
//!
//! `filter` says which paths count, `plan` merges two listings and says what to do,
//! `brake` refuses deletions that nobody can have meant, `apply` does the rest and counts.

mod apply;
mod both;
mod brake;
mod config;
mod ends;
mod filter;
mod plan;
mod remote;
mod renames;
mod report;
mod stream;
#[cfg(test)]
mod tests;
pub mod wild;

use mhost_sdk::trees::ListOptions;
use mhost_sdk::{Context, Doing as _, Failure, Report};

pub use config::Mirror;

use apply::{Apply, Tally};
use brake::Ends;
use config::Verify;
use ends::{Pair, Roots};
use filter::Filter;
use plan::{Plan, Rules, Survey, Trees};
use report::Seen;
use stream::Stream;

/// One pair of ends, looked at.
struct Surveyed {
    pair: Pair,
    plan: Plan,
    rules: Rules,
}

/// Makes `to` equal to `from`.
pub fn mirror(context: &Context<'_>, config: Mirror) -> Result<Report, Failure> {
    let filter = Filter::new(&config)?;
    if remote::is_remote(&config.from) || remote::is_remote(&config.to) {
        return remote::run(context, &config, &filter);
    }
    let mut pairs = ends::pairs(context, &config)?;
    let _locks = ends::lock(context, &pairs, config.both_ways)?;
    if config.both_ways {
        let Some(pair) = pairs.pop().filter(|_| config.map.is_empty()) else {
            return Err(Failure::permanent(
                "`both_ways` and `map` do not go together: make a task for each pair",
            ));
        };
        return both::run(context, &config, &filter, pair);
    }
    let mut surveyed = Vec::new();
    for pair in pairs {
        surveyed.push(look(context, &config, &filter, pair)?);
    }
    let mut tally = Tally::default();
    let mut seen = Seen::default();
    let total = surveyed.iter().map(|one| one.plan.counts.bytes).sum();
    let mut outcome = Ok(());
    let mut mounts = Vec::new();
    for one in surveyed {
        seen.add(&one.plan);
        mounts.push((one.pair.key(), one.plan.mounts.clone()));
        if outcome.is_ok() {
            outcome = carry_out(context, &config, &filter, one, total, &mut tally);
        }
    }
    let report = report::conclude(context, outcome, tally, seen)?;
    for (key, mounts) in mounts {
        ends::remember(context, &key, &mounts)?;
    }
    Ok(report)
}

/// Merges the listings of one pair, and holds the brake against the result.
fn look(
    context: &Context<'_>,
    config: &Mirror,
    filter: &Filter,
    pair: Pair,
) -> Result<Surveyed, Failure> {
    let expected = ends::remembered(context, &pair.key())?;
    let rules = ends::rules(context, config, &pair)?;
    let mut plan = survey(context, config, filter, &pair, rules, &expected)?;
    let words = Ends {
        from: &pair.from,
        to: &pair.to,
    };
    if config.renames && config.delete {
        renames::find(context, &words, &mut plan).doing(|| "look for renamed files".to_owned())?;
    }
    brake::check(config, &words, &plan, &expected)?;
    Ok(Surveyed { pair, plan, rules })
}

fn survey(
    context: &Context<'_>,
    config: &Mirror,
    filter: &Filter,
    pair: &Pair,
    rules: Rules,
    expected: &[Vec<u8>],
) -> Result<Plan, Failure> {
    let options = ListOptions {
        one_file_system: config.one_file_system,
        attributes: rules.attributes,
    };
    let open =
        |root: &str| Stream::open(context.trees(), root, options).doing(|| format!("list {root}"));
    let mut copies = Vec::new();
    for copy in &pair.copies {
        copies.push(open(copy)?);
    }
    let trees = Trees {
        source: open(&pair.from)?,
        target: match pair.there {
            true => open(&pair.to)?,
            false => Stream::none(),
        },
        copies,
    };
    let roots = pair.roots;
    let mut same = |path: &[u8]| {
        let pairs = [(path.to_vec(), path.to_vec())];
        let answers = context.trees().same(&pair.from, &pair.to, &pairs)?;
        answers.into_iter().next().unwrap_or(Ok(false))
    };
    Survey::new(
        config,
        rules,
        filter,
        (&pair.apart, expected),
        roots,
        &mut same,
    )
    .run(trees)
    .doing(|| format!("compare {} with {}", pair.from, pair.to))
}

fn carry_out(
    context: &Context<'_>,
    config: &Mirror,
    filter: &Filter,
    one: Surveyed,
    total: u64,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let Surveyed { pair, plan, rules } = one;
    ends::make(context, &pair)?;
    // A dry run has no directory there to ask.
    if !pair.there && context.dry_run() {
        return report::pretend(plan, tally);
    }
    let ends = (pair.from.as_str(), pair.to.as_str());
    let keeps = (rules.owners, rules.attributes);
    Apply::new(context, config, ends, keeps, &pair.copies, total, tally).all(plan)?;
    if config.durable && !context.dry_run() {
        context
            .trees()
            .flush(&pair.to)
            .doing(|| format!("make {} durable", pair.to))?;
    }
    verify(context, config, filter, &pair, rules, tally)
}

/// Compares once more, as far as is wanted.
fn verify(
    context: &Context<'_>,
    config: &Mirror,
    filter: &Filter,
    pair: &Pair,
    rules: Rules,
    tally: &mut Tally,
) -> Result<(), Failure> {
    if context.dry_run() || config.verify == Verify::Off {
        return Ok(());
    }
    let copied = std::mem::take(&mut tally.to_verify);
    for paths in copied.chunks(1024) {
        let pairs: Vec<_> = paths
            .iter()
            .map(|path| (path.clone(), path.clone()))
            .collect();
        let answers = context.trees().same(&pair.from, &pair.to, &pairs)?;
        for (path, answer) in paths.iter().zip(answers) {
            report::verified(context, tally, path, answer);
        }
    }
    if config.verify == Verify::All {
        let thorough = Mirror {
            checksum: true,
            ..config.clone()
        };
        let left = survey(
            context,
            &thorough,
            filter,
            &Pair {
                there: true,
                // It was made since they were looked at, and lies where that was looked at.
                roots: Roots {
                    there: true,
                    ..pair.roots
                },
                ..pair.clone()
            },
            rules,
            &[],
        )?;
        report::left(context, tally, &left);
    }
    Ok(())
}
