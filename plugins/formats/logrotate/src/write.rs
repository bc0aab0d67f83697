//! Options as directives again: what differs from logrotate's defaults, one a line.

use std::fmt::Write as _;

use crate::options::{DateOf, Format, Method, Options, Owner, When, Whose};

impl Options {
    /// The directives, without scripts; reading them gives these options.
    pub fn directives(&self) -> String {
        let usual = Self::default();
        let mut text = String::new();
        let mut line = |wanted: bool, directive: String| {
            if wanted {
                let _ = writeln!(text, "{directive}");
            }
        };
        let rotate = self
            .rotate
            .map_or("-1".to_owned(), |count| count.to_string());
        line(true, format!("rotate {rotate}"));
        line(self.start != usual.start, format!("start {}", self.start));
        line(self.when != usual.when, when(self.when));
        for (word, value) in [("minsize", self.minsize), ("maxsize", self.maxsize)] {
            line(
                value.is_some(),
                format!("{word} {}", value.unwrap_or_default()),
            );
        }
        for (word, value) in [("minage", self.minage), ("maxage", self.maxage)] {
            line(
                value.is_some(),
                format!("{word} {}", value.unwrap_or_default()),
            );
        }
        line(self.method != usual.method, method(self.method).to_owned());
        for (word, owner) in [("create", self.create), ("createolddir", self.createolddir)] {
            line(
                owner.is_some(),
                format!("{word}{}", owner.map(written).unwrap_or_default()),
            );
        }
        line(self.compress, "compress".to_owned());
        line(self.delaycompress, "delaycompress".to_owned());
        line(self.compress, self.compressor_text());
        line(self.dateext, "dateext".to_owned());
        line(self.date != usual.date, date(self.date).to_owned());
        for (word, value) in [
            ("olddir", &self.olddir),
            ("dateformat", &self.dateformat),
            ("extension", &self.extension),
            ("addextension", &self.addextension),
            ("mail", &self.mail),
        ] {
            let value = value.as_deref().map(quoted);
            line(
                value.is_some(),
                format!("{word} {}", value.unwrap_or_default()),
            );
        }
        line(self.mailed == Whose::First, "mailfirst".to_owned());
        for (word, set) in [
            ("sharedscripts", self.sharedscripts),
            ("missingok", self.missingok),
            ("notifempty", !self.ifempty),
            ("shred", self.shred),
            ("allowhardlink", self.allowhardlink),
        ] {
            line(set, word.to_owned());
        }
        let cycles = self.shredcycles.unwrap_or_default();
        line(self.shredcycles.is_some(), format!("shredcycles {cycles}"));
        let (user, group) = self.su.unwrap_or_default();
        line(self.su.is_some(), format!("su {user} {group}"));
        text
    }

    fn compressor_text(&self) -> String {
        let command = match &self.compressor.format {
            Ok(Format::Gzip) => "gzip",
            Ok(Format::Zstd) => "zstd",
            Ok(Format::Xz) => "xz",
            Err(command) => command,
        };
        let level = self
            .compressor
            .level
            .map(|level| format!("\ncompressoptions -{level}"));
        let ext = &self.compressor.ext;
        format!(
            "compresscmd {command}{}\ncompressext {ext}",
            level.unwrap_or_default()
        )
    }
}

fn when(when: When) -> String {
    match when {
        When::Size(bytes) => format!("size {bytes}"),
        When::Hourly => "hourly".to_owned(),
        When::Daily => "daily".to_owned(),
        When::Weekly(day) => format!("weekly {day}"),
        When::Monthly => "monthly".to_owned(),
        When::Yearly => "yearly".to_owned(),
        When::Always => "size 0".to_owned(),
    }
}

fn method(method: Method) -> &'static str {
    match method {
        Method::Rename => "nocopy",
        Method::Copy => "copy",
        Method::CopyTruncate => "copytruncate",
        Method::RenameCopy => "renamecopy",
    }
}

fn date(date: DateOf) -> &'static str {
    match date {
        DateOf::Now => "",
        DateOf::Yesterday => "dateyesterday",
        DateOf::HourAgo => "datehourago",
    }
}

fn written(owner: Owner) -> String {
    let mode = owner
        .mode
        .map(|mode| format!(" {mode:04o}"))
        .unwrap_or_default();
    // A number alone would be read as a mode.
    match (owner.mode, owner.uid, owner.gid) {
        (Some(_), Some(uid), gid) => {
            format!(
                "{mode} {uid}{}",
                gid.map(|gid| format!(" {gid}")).unwrap_or_default()
            )
        }
        (None, Some(0), None) => " root".to_owned(),
        _ => mode,
    }
}

fn quoted(text: &str) -> String {
    match text.contains([' ', '\'', '"']) {
        true => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
        false => text.to_owned(),
    }
}
