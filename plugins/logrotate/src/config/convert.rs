//! The typed words as one section of a configuration.

use std::collections::BTreeSet;

use mhost_format_logrotate::{
    Compressor, DateOf, Format, Method, Names, Options, Owner, Section, Source, Stamp, When, Whose,
    expand,
};

use mhost_sdk::units::Span;

use super::{Config, Create, DateWord, Frequency};

/// Seconds.
const DAY: u64 = 86_400;

/// The section that the typed words stand for. `stamp` tells dated archives from logs.
pub fn typed(config: &Config, source: &dyn Source, stamp: impl Fn(&Options) -> Stamp) -> Section {
    let options = options(config);
    let found = config
        .logs
        .iter()
        .flat_map(|pattern| expand(pattern, source));
    let found: BTreeSet<String> = found.collect();
    let stamp = stamp(&options);
    let logs = found
        .iter()
        .filter(|path| !is_archive(path, &found, &options, &stamp));
    Section {
        text: config.logs.join(" "),
        patterns: config.logs.clone(),
        logs: logs.cloned().collect(),
        options,
        file: "the task's configuration".to_owned(),
        line: 0,
    }
}

/// Whether a path is an archive of another one that was found. Names are cut where an
/// archive's ending could begin, so that this takes no time for a thousand logs.
fn is_archive(path: &str, found: &BTreeSet<String>, options: &Options, stamp: &Stamp) -> bool {
    let (_, name) = mhost_sdk::files::split(path);
    let start = path.len() - name.len();
    let cuts = name.char_indices().skip(1).map(|(at, _)| start + at);
    cuts.filter_map(|at| found.get(&path[..at])).any(|log| {
        let plain = Options {
            olddir: None,
            ..options.clone()
        };
        Names::new(log, &plain).belongs(stamp, name)
    })
}

fn options(config: &Config) -> Options {
    Options {
        rotate: u32::try_from(config.rotate).ok(),
        start: config.start.unwrap_or(1),
        when: when(config),
        minsize: config.minsize.map(|size| size.bytes()),
        maxsize: maxsize(config),
        minage: config.minage,
        maxage: config.maxage.and_then(days),
        method: method(config),
        create: config.create.as_ref().map(owner),
        olddir: config.olddir.clone(),
        createolddir: config.createolddir.as_ref().map(owner),
        compress: config.compress.0.is_some(),
        delaycompress: config.delaycompress,
        compressor: compressor(config),
        dateext: config.dateext,
        dateformat: config.dateformat.clone(),
        date: match config.date {
            DateWord::Now => DateOf::Now,
            DateWord::Yesterday => DateOf::Yesterday,
            DateWord::HourAgo => DateOf::HourAgo,
        },
        extension: config.extension.clone(),
        addextension: config.addextension.clone(),
        sharedscripts: true,
        missingok: config.missingok,
        ifempty: config.ifempty,
        shred: config.shred.is_some(),
        shredcycles: config.shred,
        allowhardlink: config.allowhardlink,
        mail: config.mail.clone(),
        mailed: match config.mailfirst {
            true => Whose::First,
            false => Whose::Last,
        },
        ..Options::default()
    }
}

/// Whole days, at least one; `None` for any other time.
pub fn days(age: Span) -> Option<u32> {
    let (days, rest) = (
        age.duration().as_secs() / DAY,
        age.duration().as_secs() % DAY,
    );
    (days > 0 && rest == 0).then(|| u32::try_from(days).unwrap_or(u32::MAX))
}

fn maxsize(config: &Config) -> Option<u64> {
    let most = config.maxsize.map(|size| size.bytes());
    most.filter(|most| *most > 0)
}

fn when(config: &Config) -> When {
    match (config.size, config.frequency) {
        (Some(size), _) => When::Size(size.bytes()),
        (None, Some(Frequency::Hourly)) => When::Hourly,
        (None, Some(Frequency::Daily)) => When::Daily,
        (None, Some(Frequency::Weekly)) => When::Weekly(config.weekday.unwrap_or(0)),
        (None, Some(Frequency::Monthly)) => When::Monthly,
        (None, Some(Frequency::Yearly)) => When::Yearly,
        // Only what is larger than `maxsize`.
        (None, None) if maxsize(config).is_some() => When::Size(u64::MAX),
        (None, None) => When::Always,
    }
}

fn method(config: &Config) -> Method {
    match (config.copytruncate, config.copy, config.renamecopy) {
        (true, ..) => Method::CopyTruncate,
        (_, true, _) => Method::Copy,
        (.., true) => Method::RenameCopy,
        _ => Method::Rename,
    }
}

fn owner(create: &Create) -> Owner {
    Owner {
        mode: create.mode.map(|mode| mode.0),
        uid: create.uid,
        gid: create.gid,
    }
}

fn compressor(config: &Config) -> Compressor {
    let format = config.compress.0.unwrap_or(Format::Gzip);
    let ext = match format {
        Format::Gzip => ".gz",
        Format::Zstd => ".zst",
        Format::Xz => ".xz",
    };
    Compressor {
        format: Ok(format),
        level: config.compress_level,
        ext: ext.to_owned(),
    }
}
