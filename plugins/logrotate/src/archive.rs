//! The names of archives: `app.log.3.gz` is the third archive of `app.log`,
//! compressed.

use mhost_sdk::files::Metadata;

/// Which archive of its log. Greater is older for numbers, newer for dates.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stamp {
    /// From 1, the newest.
    Number(u32),
    /// `20260301` or, by the hour, `2026030117`.
    Date(String),
}

/// An archive that is there.
#[derive(Debug, Clone)]
pub struct Archive {
    pub path: String,
    pub stamp: Stamp,
    /// `.gz` …; empty where it is not compressed.
    pub suffix: String,
    pub metadata: Metadata,
}

/// Endings of compressed files, also of ones that other programs made.
const SUFFIXES: [&str; 5] = [".gz", ".zst", ".xz", ".bz2", ".Z"];

/// What follows the log's name in an archive's: `.3.gz` → number 3, `.gz`.
pub fn parse(rest: &str) -> Option<(Stamp, &'static str)> {
    let suffix = SUFFIXES.into_iter().find(|suffix| rest.ends_with(suffix));
    let suffix = suffix.unwrap_or("");
    let stamp = &rest[..rest.len() - suffix.len()];
    if let Some(number) = stamp.strip_prefix('.') {
        return Some((Stamp::Number(number_of(number)?), suffix));
    }
    let date = stamp.strip_prefix('-')?;
    let digits = date.bytes().all(|byte| byte.is_ascii_digit());
    (digits && matches!(date.len(), 8 | 10)).then(|| (Stamp::Date(date.to_owned()), suffix))
}

fn number_of(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    // Nine digits fit, and no rotation comes near.
    (plain && text.len() < 10).then(|| text.parse().ok())?
}

/// The log that a path would be an archive of.
pub fn base(path: &str) -> Option<&str> {
    let (_, name) = mhost_sdk::files::split(path);
    let start = path.len() - name.len();
    let cuts = name
        .char_indices()
        .skip(1)
        .filter(|(_, c)| matches!(c, '.' | '-'));
    cuts.map(|(at, _)| start + at)
        .find(|at| parse(&path[*at..]).is_some())
        .map(|at| &path[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let number = |n| Some(Stamp::Number(n));
        for (rest, stamp, suffix) in [
            (".1", number(1), ""),
            (".12.gz", number(12), ".gz"),
            (".3.zst", number(3), ".zst"),
            ("-20260301", Some(Stamp::Date("20260301".into())), ""),
            (
                "-2026030117.gz",
                Some(Stamp::Date("2026030117".into())),
                ".gz",
            ),
            (".0", None, ""),
            (".01", None, ""),
            (".", None, ""),
            (".gz", None, ""),
            (".1.bak", None, ""),
            (".9999999999", None, ""),
            ("-2026", None, ""),
            ("", None, ""),
        ] {
            let parsed = parse(rest);
            assert_eq!(
                parsed.as_ref().map(|(stamp, _)| stamp),
                stamp.as_ref(),
                "{rest}"
            );
            assert_eq!(parsed.map_or("", |(_, suffix)| suffix), suffix, "{rest}");
        }
    }

    #[test]
    fn bases() {
        for (path, expected) in [
            ("/logs/app.log.1", Some("/logs/app.log")),
            ("/logs/app.log.2.gz", Some("/logs/app.log")),
            ("/logs/my-app.log-20260301.zst", Some("/logs/my-app.log")),
            ("/logs/app.log", None),
            ("/logs/.1", None),
            ("/logs/v1.2/app.log", None),
        ] {
            assert_eq!(base(path), expected, "{path}");
        }
    }
}
