//! The configuration's reference page, written from the tables that files are read by.

use mhost_model::{ByteSize, Span};

use super::scalar::article_free;
use super::shape::{Fixed, Key, Least, Presence, ROOT, Scalar, Shape};

const HEAD: &str = "\
# The configuration file

<!-- Written from the code; `just docs` writes it anew. -->

`mhost apply FILE` makes the store match a file such as this one; `mhost export` writes one.
It is TOML. Unknown keys are mistakes, and so is everything else that cannot be meant.
Relative paths are taken from the file's folder. A *name* has 1 to 64 lower-case letters,
digits, `-`, `_` or `.`, and begins with a letter or a digit.

```toml
[databases.site]
engine = \"sqlite\"
path = \"/srv/site/site.db\"

[tasks.rotate-web]
plugin = \"logrotate\"
action = \"rotate\"
schedule = { cron = \"0 3 * * *\", tz = \"Europe/Kyiv\" }

[tasks.rotate-web.config]
logs = [\"/logs/*.log\"]

[tasks.rotate-web.grants]
dirs.logs = { path = \"/var/log/web\", access = \"read-write\" }

[tasks.rotate-web.policy]
retry = { attempts = 3, backoff = \"30s\" }
```
";

/// The page, in Markdown.
pub fn reference() -> String {
    let mut out = HEAD.to_owned();
    for key in ROOT.keys {
        section(&mut out, key.name, key);
    }
    out
}

/// A table's own section, and those of the tables in it.
fn section(out: &mut String, path: &str, key: &Key) {
    let (path, fixed) = match &key.shape {
        Shape::Named(Shape::Table(fixed)) => (format!("{path}.NAME"), *fixed),
        Shape::Table(fixed) | Shape::Either(_, fixed) => (path.to_owned(), *fixed),
        _ => return,
    };
    out.push_str(&format!("\n## `{path}`\n\n{}\n", key.meaning));
    alternatives(out, key, fixed);
    out.push_str("\n| key | type | default | meaning |\n| --- | --- | --- | --- |\n");
    for key in fixed.keys {
        out.push_str(&row(key));
    }
    for key in fixed.keys {
        section(out, &format!("{path}.{}", key.name), key);
    }
}

/// What may stand there instead of the table, and which keys exclude each other.
fn alternatives(out: &mut String, key: &Key, fixed: &Fixed) {
    match &key.shape {
        Shape::Either(Scalar::ScheduleWord, _) => out.push_str(
            "\n`\"manual\"` (only by hand), a cron nickname such as `\"@daily\"`, or a table with one of \
             `cron`, `every`, `at`, `after`, `on_change`, or the fields `month`, `day`, `hour`, `minute`:\n",
        ),
        Shape::Either(Scalar::Word(words), _) => {
            out.push_str(&format!("\n{}, or a table:\n", meanings(words)));
        }
        _ => {}
    }
    if !fixed.one_of.is_empty() {
        let form = |set: &&[&str]| {
            set.iter()
                .map(|key| format!("`{key}`"))
                .collect::<Vec<_>>()
                .join(" with ")
        };
        let forms: Vec<String> = fixed.one_of.iter().map(form).collect();
        out.push_str(&format!("\nExactly one of {}.\n", forms.join(", or ")));
    }
}

fn row(key: &Key) -> String {
    let default = match key.presence {
        Presence::Required => "required".to_owned(),
        Presence::Optional => String::new(),
        Presence::Default(default) => format!("`{default}`"),
    };
    format!(
        "| `{}` | {} | {default} | {} |\n",
        key.name,
        kind(&key.shape),
        key.meaning
    )
}

fn kind(shape: &Shape) -> String {
    match shape {
        Shape::Table(_) | Shape::Json => "table".into(),
        Shape::Named(_) => "tables by name".into(),
        Shape::List(of, _) => format!("array: {}", kind(of)),
        Shape::Scalar(Scalar::Word(words)) => meanings(words),
        Shape::Scalar(scalar) => scalar_kind(*scalar),
        Shape::Either(Scalar::Word(words), _) => {
            let words: Vec<String> = words
                .iter()
                .map(|(word, _)| format!("`\"{word}\"`"))
                .collect();
            format!("{} or table", words.join(", "))
        }
        Shape::Either(..) => "word or table".into(),
    }
}

fn scalar_kind(scalar: Scalar) -> String {
    match scalar {
        Scalar::Count(least, i64::MAX) => format!("number, at least {least}"),
        Scalar::Count(least, most) => format!("number, {least} to {most}"),
        Scalar::Duration(least, most) => {
            let least = match least {
                Least::Zero => String::new(),
                least => format!(", at least {}", Span(least.duration())),
            };
            format!("duration{least}, at most {} days", most / (24 * 60 * 60))
        }
        Scalar::Size(least, most) => {
            let exact = |bytes| String::from(ByteSize(bytes));
            format!("size, {} to {}", exact(least), exact(most))
        }
        other => article_free(other).to_owned(),
    }
}

fn meanings(words: &[(&str, &str)]) -> String {
    let words: Vec<String> = words
        .iter()
        .map(|(word, meaning)| format!("`\"{word}\"` ({meaning})"))
        .collect();
    words.join(", ")
}
