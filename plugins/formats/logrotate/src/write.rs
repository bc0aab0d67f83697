//! Options as directives again: what differs from logrotate's defaults, one a line.

use std::fmt::Write as _;

use crate::parse::Section;

use crate::options::{DateOf, Format, Method, Options, Owner, When, Whose};

/// The name of a user by its number, where there is one.
pub type Users<'a> = &'a dyn Fn(u32) -> Option<String>;

impl Section {
    /// The entry as text: reading it gives these options again.
    pub fn entry(&self, users: Users<'_>) -> String {
        let text = self.text.trim();
        format!("{text} {{\n{}}}\n", self.options.directives(users))
    }
}

impl Options {
    /// The directives; reading them gives these options. An owner without a mode is written by
    /// name, because the number would be read as the mode.
    pub fn directives(&self, users: Users<'_>) -> String {
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
                format!(
                    "{word}{}",
                    owner.map(|owner| written(owner, users)).unwrap_or_default()
                ),
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
            ("ignoreduplicates", self.ignoreduplicates),
            ("shred", self.shred),
            ("allowhardlink", self.allowhardlink),
        ] {
            line(set, word.to_owned());
        }
        let cycles = self.shredcycles.unwrap_or_default();
        line(self.shredcycles.is_some(), format!("shredcycles {cycles}"));
        let (user, group) = self.su.unwrap_or_default();
        line(self.su.is_some(), format!("su {user} {group}"));
        for (event, script) in &self.scripts {
            line(true, format!("{}\n{}endscript", event.word(), script.text));
        }
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
        let (command, ext) = (quoted(command), quoted(&self.compressor.ext));
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

fn written(owner: Owner, users: Users<'_>) -> String {
    let name = |uid: u32| match owner.mode {
        Some(_) => uid.to_string(),
        None => users(uid).unwrap_or_else(|| uid.to_string()),
    };
    let words = [
        owner.mode.map(|mode| format!("{mode:04o}")),
        owner.uid.map(name),
        owner.gid.map(|gid| gid.to_string()),
    ];
    let words = words.into_iter().flatten().map(|word| format!(" {word}"));
    words.collect()
}

fn quoted(text: &str) -> String {
    // A `=` at the beginning would be taken for the one before a value.
    match text.contains([' ', '\'', '"']) || text.starts_with('=') {
        true => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
        false => text.to_owned(),
    }
}
