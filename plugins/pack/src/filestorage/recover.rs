//! Getting out of a damaged FileStorage what is sound.

use mhost_filestorage::index;
use mhost_filestorage::recover::{self as format, Options, Recovered};
use mhost_filestorage::verify::{self, Level};
use mhost_sdk::units::human_bytes;
use mhost_sdk::{Context, Doing as _, Error, Failure, Report};

use super::aside::{self, Aside};
use super::pack::{check_name, unlike};
use super::swap::Placing;
use super::{Told, failed, lock, look, open, swap};
use crate::config::Recover;

/// Writes all that is sound to the output, which appears whole or not at all, and replaces nothing: what was recovered
/// earlier may be the better one.
pub fn recover(context: &Context, source: &str, config: &Recover) -> Result<Report, Failure> {
    let output = config.output.as_str();
    let original = look(context, source)?;
    check_output(context, output)?;
    let _lock = lock::take_if_there(context, output)?;
    aside::try_out(context, &aside::name(output))?;
    let mut file = open(context, source)?;
    let options = Options {
        partial: config.partial,
    };
    let told = &mut Told {
        context,
        name: source,
    };
    let fail = |error| failed("recover", source, error);
    let most = original.size + index::most_bytes(original.size / 50);
    aside::check_room(context, output, most)?;
    if context.dry_run() {
        let found = format::survey(&mut file, options, told).map_err(fail)?;
        let words = format!("would recover {}", counted(source, output, &found));
        return Ok(report(words, &found).details(&found));
    }
    let (aside, writing) = Aside::create(context, output)?;
    let recovered = format::recover(&mut file, options, writing, told).map_err(fail)?;
    let found = &recovered.report;
    if found.transactions == 0 && original.size > mhost_filestorage::layout::START {
        let report = report(format!("recovered nothing of {source}"), found).details(found);
        return Err(Failure::permanent(format!(
            "there is no whole transaction in {source}: is it a FileStorage? nothing was written"
        ))
        .with_partial(report));
    }
    aside.dress(&original)?;
    aside.sync()?;
    let dangling = check(context, &aside, &recovered)?;
    let length = recovered.file.length;
    let index = swap::make_index(context, output, &recovered.file.index, length, &original)?;
    context.check_cancelled()?;
    swap::place(context, output, aside, Placing::New)?;
    swap::place_index(output, index)?;
    let words = format!("recovered {}", counted(source, output, found));
    Ok(report(words, found)
        .metric("bytes_after", length)
        .metric("references_dangling", dangling)
        .artifact("file", output, Some(length))
        .details(found))
}

fn check_output(context: &Context, output: &str) -> Result<(), Failure> {
    check_name(output)?;
    let there = context.files().stat_optional(output);
    if there.doing(|| format!("look at {output}"))?.is_some() {
        return Err(Failure::from(Error::Exists(format!(
            "{output} exists, and recovering replaces nothing: choose another name, or remove it"
        ))));
    }
    swap::check_names(context, output, None)
}

/// The new file must be sound but for references into what is lost, which are counted.
fn check(context: &Context, aside: &Aside<'_, '_>, recovered: &Recovered) -> Result<u64, Failure> {
    let mut read = aside.read_back()?;
    let told = &mut Told {
        context,
        name: &aside.path,
    };
    let verdict = match recovered.suspects {
        true => verify::with_checksum(&mut read, Level::References, told),
        // All data were read when they were looked for.
        false => verify::written(&mut read, told),
    };
    let verdict = verdict.map_err(|error| failed("check", &aside.path, error))?;
    let wrong =
        verdict.counts[Level::Structure as usize] + verdict.counts[Level::Pointers as usize];
    let written = &recovered.file;
    if wrong > 0 || verdict.bytes != written.length || verdict.index != written.index {
        return Err(unlike("it holds something else than was written"));
    }
    if verdict.checksum != Some(written.checksum) {
        return Err(unlike("its checksum is another one"));
    }
    let dangling = verdict.counts[Level::References as usize];
    if dangling > 0 {
        let example = verdict
            .findings
            .iter()
            .find(|finding| finding.level == Level::References);
        let example = example
            .map(|finding| finding.damage.to_string())
            .unwrap_or_default();
        context.warn(format!(
            "{dangling} references lead to objects that are lost; the first: {example}"
        ));
    }
    Ok(dangling)
}

/// How many transactions, and what was wrong.
fn counted(source: &str, output: &str, found: &format::Report) -> String {
    let count = found.transactions;
    let mut text = format!("{count} transactions of {source} to {output}");
    if found.sound() {
        text.push_str("; nothing was damaged");
    } else {
        text.push_str(&format!(
            "; {} set right, {} in part, {} lost in {} places",
            found.repaired,
            found.partly,
            human_bytes(found.bytes_lost),
            found.stretches
        ));
    }
    if found.bytes_unfinished > 0 {
        text.push_str(&format!(
            "; an unfinished transaction of {} at its end is left out",
            human_bytes(found.bytes_unfinished)
        ));
    }
    text
}

fn report(summary: String, found: &format::Report) -> Report {
    Report::new(summary)
        .metric("transactions_recovered", found.transactions)
        .metric("records_recovered", found.records)
        .metric("transactions_repaired", found.repaired)
        .metric("transactions_partial", found.partly)
        .metric("transactions_moved", found.moved)
        .metric("bytes_before", found.bytes)
        .metric("bytes_lost", found.bytes_lost)
        .metric("bytes_unfinished", found.bytes_unfinished)
}
