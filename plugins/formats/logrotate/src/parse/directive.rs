//! The directives, one by one.

use super::Reader;
use super::cursor::Cursor;
use crate::options::{DateOf, Event, Format, MOST_START, Method, Options, Owner, When, Whose};
use crate::words::{number, size, split};

/// Names that mean the same to everybody: program, its format, its usual ending.
const PROGRAMS: [(&str, Option<Format>, &str); 12] = [
    ("gzip", Some(Format::Gzip), ".gz"),
    ("pigz", Some(Format::Gzip), ".gz"),
    ("zstd", Some(Format::Zstd), ".zst"),
    ("zstdmt", Some(Format::Zstd), ".zst"),
    ("pzstd", Some(Format::Zstd), ".zst"),
    ("xz", Some(Format::Xz), ".xz"),
    ("pxz", Some(Format::Xz), ".xz"),
    ("bzip2", None, ".bz2"),
    ("pbzip2", None, ".bz2"),
    ("compress", None, ".Z"),
    ("zip", None, ".zip"),
    ("lz4", None, ".lz4"),
];

/// Of what was written in another encoding than UTF-8.
pub(super) const GARBLED: &str = "holds bytes that are no UTF-8 text";

/// Whether bytes of a text could not be read; whoever handed it over has put the replacement
/// character there.
pub(super) fn garbled(text: &str) -> bool {
    text.contains(char::REPLACEMENT_CHARACTER)
}

impl Reader<'_> {
    pub(super) fn keyword(&mut self, cursor: &mut Cursor<'_>, file: &str) {
        let at = (file, cursor.line());
        let word = cursor.word();
        if cursor
            .peek()
            .is_some_and(|c| !c.is_whitespace() && !matches!(c, '=' | '}'))
        {
            let rest = cursor.rest_of_line();
            return self.error(at, format!("`{word}{rest}` is no directive"));
        }
        if flag(self.options(), word) {
            return;
        }
        if let Some(event) = event(word) {
            return self.script(event, cursor, at);
        }
        let value = cursor.value();
        if garbled(value) {
            return self.error(at, format!("`{word}` {GARBLED}"));
        }
        match word {
            // logrotate tells of these, and goes on without them.
            "size" | "minsize" | "maxsize" | "dateformat" if value.is_empty() => {
                let text = format!("`{word}` needs a value; the line is passed over");
                self.problem(at, super::Severity::Warning, text);
            }
            "include" => match text(value) {
                Ok(path) => self.include(&path, at),
                Err(why) => self.error(at, format!("`include` {why}")),
            },
            "tabooext" => self.taboo(value, "*"),
            "taboopat" => self.taboo(value, ""),
            "create" | "createolddir" | "su" => self.owner(word, value, at),
            _ => match set(self.options(), word, value) {
                Some(Ok(())) => {}
                Some(Err(why)) => self.error(at, format!("`{word}` {why}")),
                None => {
                    let text = format!("there is no directive `{word}`; the line is passed over");
                    self.problem(at, super::Severity::Warning, text);
                }
            },
        }
    }

    fn taboo(&mut self, value: &str, prefix: &str) {
        let value = match value.strip_prefix('+') {
            Some(more) => more,
            None => {
                self.taboo.clear();
                value
            }
        };
        let entries = value.split(|c: char| c == ',' || c.is_whitespace());
        let entries = entries.filter(|entry| !entry.is_empty());
        self.taboo
            .extend(entries.map(|entry| format!("{prefix}{entry}")));
    }

    fn owner(&mut self, word: &str, value: &str, at: (&str, u32)) {
        let words: Vec<_> = value.split_whitespace().collect();
        let done = match word {
            "su" => self.su(&words),
            _ => self.mode_and_owner(&words).map(|owner| match word {
                "create" => self.options().create = Some(owner),
                _ => self.options().createolddir = Some(owner),
            }),
        };
        if let Err(why) = done {
            self.error(at, format!("`{word}` {why}"));
        }
    }

    fn su(&mut self, words: &[&str]) -> Result<(), String> {
        let [user, group] = words else {
            return Err("takes a user and a group".to_owned());
        };
        let su = (self.user(user)?, self.group(group)?);
        self.options().su = Some(su);
        Ok(())
    }

    /// `MODE USER GROUP`, each of which may be left out from the left or the right.
    fn mode_and_owner(&self, words: &[&str]) -> Result<Owner, String> {
        let (mode, rest) = match words {
            [first, rest @ ..] if first.starts_with(|c: char| c.is_ascii_digit()) => {
                (Some(octal(first)?), rest)
            }
            words => (None, words),
        };
        let (uid, gid) = match rest {
            [] => (None, None),
            [user] => (Some(self.user(user)?), None),
            [user, group] => (Some(self.user(user)?), Some(self.group(group)?)),
            _ => return Err("takes a mode, a user and a group, and nothing more".to_owned()),
        };
        Ok(Owner { mode, uid, gid })
    }

    fn user(&self, name: &str) -> Result<u32, String> {
        let found = self.source.user(name).or_else(|| name.parse().ok());
        found.ok_or_else(|| format!("names the user `{name}`, whom this machine does not know"))
    }

    fn group(&self, name: &str) -> Result<u32, String> {
        let found = self.source.group(name).or_else(|| name.parse().ok());
        found.ok_or_else(|| format!("names the group `{name}`, which this machine does not know"))
    }
}

fn event(word: &str) -> Option<Event> {
    Some(match word {
        "firstaction" => Event::First,
        "prerotate" => Event::Pre,
        "postrotate" => Event::Post,
        "lastaction" => Event::Last,
        "preremove" => Event::Preremove,
        _ => return None,
    })
}

/// Directives without a value; `false` where the word is none of them.
fn flag(options: &mut Options, word: &str) -> bool {
    match word {
        "hourly" => options.when = When::Hourly,
        "daily" => options.when = When::Daily,
        "monthly" => options.when = When::Monthly,
        "yearly" => options.when = When::Yearly,
        "compress" => options.compress = true,
        "nocompress" => options.compress = false,
        "delaycompress" => options.delaycompress = true,
        "nodelaycompress" => options.delaycompress = false,
        "nocreate" => options.create = None,
        "nocreateolddir" => options.createolddir = None,
        "noolddir" => options.olddir = None,
        "dateext" => options.dateext = true,
        "nodateext" => options.dateext = false,
        "dateyesterday" => options.date = DateOf::Yesterday,
        // The day before is the stronger wish, whichever comes first.
        "datehourago" if options.date == DateOf::Yesterday => {}
        "datehourago" => options.date = DateOf::HourAgo,
        "sharedscripts" => options.sharedscripts = true,
        "nosharedscripts" => options.sharedscripts = false,
        "missingok" => options.missingok = true,
        "nomissingok" => options.missingok = false,
        "ifempty" => options.ifempty = true,
        "notifempty" => options.ifempty = false,
        "ignoreduplicates" => options.ignoreduplicates = true,
        "shred" => options.shred = true,
        "noshred" => options.shred = false,
        "allowhardlink" => options.allowhardlink = true,
        "noallowhardlink" => options.allowhardlink = false,
        "nomail" => options.mail = None,
        "mailfirst" => options.mailed = Whose::First,
        "maillast" => options.mailed = Whose::Last,
        word => return method(options, word),
    }
    true
}

fn method(options: &mut Options, word: &str) -> bool {
    let without = |method: Method, options: &mut Options| {
        if options.method == method {
            options.method = Method::Rename;
        }
    };
    match word {
        // Emptying the copied log is the stronger wish, whichever comes first.
        "copy" if options.method != Method::CopyTruncate => options.method = Method::Copy,
        "copy" => {}
        "copytruncate" => options.method = Method::CopyTruncate,
        "renamecopy" => options.method = Method::RenameCopy,
        "nocopy" => without(Method::Copy, options),
        "nocopytruncate" => without(Method::CopyTruncate, options),
        "norenamecopy" => without(Method::RenameCopy, options),
        _ => return false,
    }
    true
}

/// Directives with a value; `None` where the word is none of them.
fn set(options: &mut Options, word: &str, value: &str) -> Option<Result<(), String>> {
    Some(match word {
        "rotate" => rotations(value).map(|count| options.rotate = count),
        "start" => start(value).map(|start| options.start = start),
        "weekly" => weekday(value).map(|day| options.when = When::Weekly(day)),
        "size" => bytes(value).map(|bytes| options.when = When::Size(bytes)),
        "minsize" => bytes(value).map(|bytes| options.minsize = Some(bytes)),
        "maxsize" => bytes(value).map(|bytes| options.maxsize = Some(bytes)),
        "minage" => count(value).map(|days| options.minage = Some(days)),
        "maxage" => count(value).map(|days| options.maxage = Some(days)),
        "shredcycles" => count(value).map(|cycles| options.shredcycles = Some(cycles)),
        "olddir" => text(value).map(|folder| options.olddir = Some(folder)),
        "dateformat" => text(value).map(|format| options.dateformat = Some(format)),
        "extension" => text(value).map(|ext| options.extension = Some(ext)),
        "addextension" => text(value).map(|ext| options.addextension = Some(ext)),
        "mail" => text(value).map(|address| options.mail = Some(address)),
        "compressext" => text(value).map(|ext| options.compressor.ext = ext),
        "compresscmd" => text(value).map(|command| compressor(options, &command)),
        "compressoptions" => {
            options.compressor.level = level(value);
            Ok(())
        }
        // Archives are read by the format that wrote them.
        "uncompresscmd" => text(value).map(drop),
        _ => return None,
    })
}

fn rotations(value: &str) -> Result<Option<u32>, String> {
    match value {
        "-1" => Ok(None),
        value => count(value).map(Some),
    }
}

fn count(value: &str) -> Result<u32, String> {
    let number = number(value).and_then(|number| u32::try_from(number).ok());
    number
        .filter(|number| i32::try_from(*number).is_ok())
        .ok_or_else(|| match value {
            "" => "needs a number".to_owned(),
            value => format!("takes a number, not `{value}`"),
        })
}

fn start(value: &str) -> Result<u32, String> {
    let start = count(value)?;
    match start <= MOST_START {
        true => Ok(start),
        false => Err(format!("takes a number up to {MOST_START}, not `{value}`")),
    }
}

fn weekday(value: &str) -> Result<u8, String> {
    match value {
        "" => Ok(0),
        value => {
            let day = number(value).and_then(|day| u8::try_from(day).ok());
            day.filter(|day| *day <= 7)
                .ok_or_else(|| format!("takes a day from 0 (Sunday) to 6, or 7, not `{value}`"))
        }
    }
}

fn bytes(value: &str) -> Result<u64, String> {
    size(value).map_err(|why| format!("is wrong: {why}"))
}

fn octal(text: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(text, 8).ok();
    mode.filter(|mode| *mode <= 0o7777)
        .ok_or_else(|| format!("takes a mode in octal digits, not `{text}`"))
}

/// A path or word, without the quotes around it.
fn text(value: &str) -> Result<String, String> {
    let unquoted = match value.starts_with(['"', '\'']) {
        true => split(value).map(|words| words.join(" ")),
        false => Some(value.to_owned()),
    };
    let unquoted = unquoted.ok_or_else(|| "has a quote that is not closed".to_owned())?;
    match unquoted.is_empty() {
        true => Err("needs a value".to_owned()),
        false => Ok(unquoted),
    }
}

fn compressor(options: &mut Options, command: &str) {
    let program = command.rsplit('/').next().unwrap_or(command);
    let known = PROGRAMS.iter().find(|(name, ..)| *name == program);
    if let Some((.., ext)) = known {
        options.compressor.ext = (*ext).to_owned();
    }
    let format = known.and_then(|(_, format, _)| *format);
    options.compressor.format = format.ok_or_else(|| command.to_owned());
}

/// The level among a compressor's options: `-9`, `--best`, `--fast`, `-T0 -19`.
fn level(value: &str) -> Option<u32> {
    let mut levels = value.split_whitespace().filter_map(|option| match option {
        "--best" => Some(9),
        "--fast" => Some(1),
        option => option.strip_prefix('-')?.trim_end_matches('e').parse().ok(),
    });
    levels.next_back()
}
