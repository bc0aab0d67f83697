//! Getting out of a damaged FileStorage what is sound.

use mhost_filestorage::recover::{self as format, Options, Recovered};
use mhost_filestorage::verify::{self, Level};
use mhost_filestorage::{Window, index};
use mhost_sdk::units::human_bytes;
use mhost_sdk::{Context, Doing as _, Failure, Report};

use super::aside::{self, Aside};
use super::{Told, failed, lock, look, open, pack, swap};
use crate::config::Recover;

/// Writes all that is sound to the output, which takes its place whole.
pub fn recover(context: &Context, source: &str, config: &Recover) -> Result<Report, Failure> {
    let output = config.output.as_str();
    let original = look(context, source)?;
    pack::check_output(context, &original, source, output)?;
    let _lock = lock::take_if_there(context, output)?;
    let mut file = open(context, source)?;
    let options = Options {
        partial: config.partial,
    };
    let told = &mut Told {
        context,
        name: source,
    };
    let fail = |error| failed("recover", source, error);
    if context.dry_run() {
        let found = format::survey(&mut file, options, told).map_err(fail)?;
        let report = report(source, output, &found, None);
        return Ok(report.details(&found));
    }
    let most = original.size + index::most_bytes(original.size / 50);
    aside::check_room(context, output, most)?;
    let (aside, writing) = Aside::create(context, output)?;
    let recovered = format::recover(&mut file, options, writing, told).map_err(fail)?;
    if recovered.report.transactions == 0 && original.size > mhost_filestorage::layout::START {
        let report = report(source, output, &recovered.report, None).details(&recovered.report);
        return Err(Failure::permanent(format!(
            "there is no whole transaction in {source}: is it a FileStorage? nothing was written"
        ))
        .with_partial(report));
    }
    let dangling = check(context, &aside, &recovered)?;
    aside.dress(&original)?;
    aside.sync()?;
    let index = swap::make_index(
        context,
        output,
        &recovered.index,
        recovered.length,
        &original,
    )?;
    context.check_cancelled()?;
    swap::place(context, output, aside, index)?;
    let report = report(
        source,
        output,
        &recovered.report,
        Some((recovered.length, dangling)),
    );
    Ok(report.details(&recovered.report))
}

/// The new file must be sound but for references into what is lost, which are counted.
fn check(context: &Context, aside: &Aside<'_, '_>, recovered: &Recovered) -> Result<u64, Failure> {
    let opened = context.files().open(&aside.path);
    let opened = opened.doing(|| format!("open {}", aside.path))?;
    let failed_to_read = |error| Failure::retryable(format!("cannot read {}: {error}", aside.path));
    let mut window = Window::new(opened).map_err(failed_to_read)?;
    let told = &mut Told {
        context,
        name: &aside.path,
    };
    // All data were read when they were looked for.
    let level = match recovered.suspects {
        true => Level::References,
        false => Level::Pointers,
    };
    let verdict = verify::verify(&mut window, level, told);
    let verdict = verdict.map_err(|error| failed("check", &aside.path, error))?;
    let wrong =
        verdict.counts[Level::Structure as usize] + verdict.counts[Level::Pointers as usize];
    if wrong > 0 || verdict.bytes != recovered.length || verdict.index != recovered.index {
        return Err(Failure::retryable(
            "the new file does not read as it was written: the disk or the memory may be failing; it was removed",
        ));
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

fn report(
    source: &str,
    output: &str,
    found: &format::Report,
    written: Option<(u64, u64)>,
) -> Report {
    let word = if written.is_some() {
        "recovered"
    } else {
        "would recover"
    };
    let mut summary = format!(
        "{word} {} transactions of {source} to {output}",
        found.transactions
    );
    if found.sound() {
        summary.push_str("; nothing was damaged");
    } else {
        summary.push_str(&format!(
            "; {} set right, {} in part, {} lost in {} places",
            found.repaired,
            found.partly,
            human_bytes(found.bytes_lost),
            found.stretches
        ));
    }
    let report = Report::new(summary)
        .metric("transactions_recovered", found.transactions)
        .metric("records_recovered", found.records)
        .metric("transactions_repaired", found.repaired)
        .metric("transactions_partial", found.partly)
        .metric("transactions_moved", found.moved)
        .metric("bytes_before", found.bytes)
        .metric("bytes_lost", found.bytes_lost)
        .metric("bytes_unfinished", found.bytes_unfinished);
    match written {
        None => report,
        Some((length, dangling)) => report
            .metric("bytes_after", length)
            .metric("references_dangling", dangling)
            .artifact("file", output, Some(length)),
    }
}
