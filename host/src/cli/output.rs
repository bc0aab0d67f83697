//! How answers and problems look: JSON for programs, tables for people.

use std::io::{self, Write as _};

use chrono::TimeDelta;
use clap::ValueEnum;
use mhost_model::Instant;
use serde::Serialize;
use tabwriter::TabWriter;

use crate::exit::{Outcomes, Problem};

/// How data is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    #[default]
    Human,
    Json,
}

/// Standard output, in the format asked for.
pub struct Output {
    format: Format,
}

impl Output {
    pub fn new(format: Format) -> Self {
        Self { format }
    }

    pub fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Prints data: as JSON, or as the text that `human` makes.
    pub fn data<T: Serialize + ?Sized>(
        &self,
        data: &T,
        human: impl FnOnce(&T) -> String,
    ) -> Outcomes<()> {
        let text = match self.format {
            Format::Human => human(data),
            Format::Json => {
                let json = serde_json::to_string_pretty(data)
                    .map_err(|error| Problem::bug(format!("cannot write JSON: {error}")))?;
                json + "\n"
            }
        };
        print(&text)
    }
}

/// Writes to standard output; a reader that has gone away is no error of ours.
pub fn print(text: &str) -> Outcomes<()> {
    written(|out| out.write_all(text.as_bytes()))
}

/// Prints lines as they come.
pub fn lines(lines: impl Iterator<Item = String>) -> Outcomes<()> {
    written(|out| {
        lines
            .into_iter()
            .try_for_each(|line| writeln!(out, "{line}"))
    })
}

/// Prints a JSON array of numbers as they come, as [`Output::data`] would.
pub fn array(mut numbers: impl Iterator<Item = i64>) -> Outcomes<()> {
    written(|out| {
        let Some(first) = numbers.next() else {
            return writeln!(out, "[]");
        };
        write!(out, "[\n  {first}")?;
        numbers.try_for_each(|number| write!(out, ",\n  {number}"))?;
        writeln!(out, "\n]")
    })
}

fn written(write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> Outcomes<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Problem::failed(format!(
            "cannot write to standard output: {error}"
        ))),
        Ok(()) => Ok(()),
    }
}

/// A message to the person, not data.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// A failed command, on standard error.
pub fn problem(format: Format, problem: &Problem) {
    let text = match format {
        // Mistakes in a configuration bring the word along, each its own.
        Format::Human if !problem.mistakes.is_empty() => problem.to_string(),
        Format::Human => format!("error: {problem}"),
        Format::Json => serde_json::json!({ "error": problem }).to_string(),
    };
    note(&text);
}

/// Aligns rows of cells below their headings.
pub fn table<const N: usize>(
    headings: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut writer = TabWriter::new(Vec::new()).padding(2);
    let mut line = |cells: Vec<&str>| {
        let clean: Vec<String> = cells.iter().map(|cell| one_line(cell)).collect();
        // A buffer in memory takes everything.
        let _ = writeln!(writer, "{}", clean.join("\t").trim_end());
    };
    line(headings.to_vec());
    for row in rows {
        line(row.iter().map(String::as_str).collect());
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Aligns lines whose cells are parted by tabs, each after an indentation.
pub fn columns(lines: &[String], indent: &str) -> String {
    let mut writer = TabWriter::new(Vec::new()).padding(2);
    for line in lines {
        // A buffer in memory takes everything.
        let _ = writeln!(writer, "{indent}{}", line.trim_end());
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Text from outside must not break a table or steer the terminal.
pub fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// As [`one_line`], but lines stay.
pub fn printable(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .collect()
}

/// `2026-12-01 03:00:00Z`, or a dash.
pub fn time(at: Option<Instant>) -> String {
    at.map_or_else(
        || "-".into(),
        |at| at.format("%Y-%m-%d %H:%M:%SZ").to_string(),
    )
}

/// `1.2s`, `3m 4s`, or a dash.
pub fn duration(took: Option<TimeDelta>) -> String {
    let Some(took) = took else {
        return "-".into();
    };
    let ms = took.num_milliseconds();
    match ms {
        ..1000 => format!("{ms}ms"),
        1000..60_000 => format!("{:.1}s", ms as f64 / 1000.0),
        _ => format!("{}m {}s", ms / 60_000, ms / 1000 % 60),
    }
}

/// The first line, shortened.
pub fn brief(text: &str, width: usize) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(width) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}
