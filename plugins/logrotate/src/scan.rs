//! What lies in the directories: which files are logs, and which are archives
//! of them. Only looks.

use std::collections::{BTreeMap, BTreeSet};

use globset::{GlobBuilder, GlobMatcher};
use mhost_sdk::files::{Kind, Metadata, WalkOptions, join, split};
use mhost_sdk::{Context, Doing as _, Failure, Optional as _};

use crate::archive::{Archive, base, parse};

/// One log and what belongs to it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub path: String,
    /// `None` where only archives, or a new log not yet in its place, are there.
    pub log: Option<Metadata>,
    /// Whether a new log waits beside its place: an earlier run was interrupted.
    pub pending: bool,
    /// In no particular order.
    pub archives: Vec<Archive>,
}

impl Seen {
    /// Bytes of the log and its archives.
    pub fn bytes(&self) -> u64 {
        let archives = self.archives.iter().map(|archive| archive.metadata.size);
        archives.sum::<u64>() + self.log.as_ref().map_or(0, |log| log.size)
    }
}

/// All that was found.
pub struct Scan {
    pub logs: Vec<Seen>,
    /// Patterns that nothing matches.
    pub missing: Vec<String>,
}

/// Where a new log waits until the old one has been renamed.
pub fn pending_path(log: &str) -> String {
    let (directory, name) = split(log);
    join(directory, &format!(".{name}{PENDING}"))
}

const PENDING: &str = ".mhost-new";

struct Pattern {
    text: String,
    matcher: GlobMatcher,
    /// The deepest directory without a wildcard, and how far below it to look.
    root: String,
    depth: Option<u32>,
}

impl Pattern {
    fn new(text: &str) -> Result<Self, Failure> {
        let wrong = |why: &str| Failure::permanent(format!("`logs` holds `{text}`, {why}"));
        if !text.starts_with('/') || text.split('/').any(|name| name == "..") {
            return Err(wrong("which is no guest path: write `/GRANT/NAME`"));
        }
        let glob = GlobBuilder::new(text)
            .literal_separator(true)
            .backslash_escape(true)
            .build();
        let glob =
            glob.map_err(|error| wrong(&format!("which is no pattern: {}", error.kind())))?;
        let names: Vec<&str> = text.split('/').skip(1).collect();
        let wild = |name: &&str| name.contains(['*', '?', '[', '{', '\\']);
        let fixed = names.iter().position(wild).unwrap_or(names.len() - 1);
        let deep = names.iter().any(|name| name.contains("**"));
        let below = u32::try_from(names.len() - 1 - fixed).unwrap_or(u32::MAX);
        Ok(Self {
            text: text.to_owned(),
            matcher: glob.compile_matcher(),
            root: format!("/{}", names[..fixed].join("/")),
            depth: (!deep).then_some(below),
        })
    }

    fn matches(&self, path: &str) -> bool {
        let (_, last) = split(&self.text);
        let (_, name) = split(path);
        (!name.starts_with('.') || last.starts_with('.')) && self.matcher.is_match(path)
    }
}

/// Looks for the logs of all patterns.
pub fn scan(context: &Context, patterns: &[String]) -> Result<Scan, Failure> {
    let patterns: Vec<_> = patterns
        .iter()
        .map(|text| Pattern::new(text))
        .collect::<Result<_, _>>()?;
    let found = list(context, &patterns)?;
    let files = found
        .iter()
        .filter(|(_, metadata)| metadata.kind != Kind::Directory);
    let candidates: BTreeSet<_> = files.map(|(path, _)| log_of(path, &patterns)).collect();
    let wanted = candidates.into_iter().filter(|log| matches(&patterns, log));
    let logs: Vec<_> = wanted.map(|log| see(log, &found)).collect();
    let lacks = |pattern: &&Pattern| {
        let mut there = logs.iter().filter(|seen| seen.log.is_some());
        !there.any(|seen| pattern.matches(&seen.path))
    };
    let missing = patterns
        .iter()
        .filter(lacks)
        .map(|pattern| pattern.text.clone());
    Ok(Scan {
        missing: missing.collect(),
        logs,
    })
}

fn matches(patterns: &[Pattern], log: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(log))
}

/// The log that a path is, is an archive of, or waits for.
fn log_of(path: &str, patterns: &[Pattern]) -> String {
    let (directory, name) = split(path);
    if let Some(log) = name
        .strip_prefix('.')
        .and_then(|name| name.strip_suffix(PENDING))
    {
        return join(directory, log);
    }
    match base(path) {
        Some(log) if matches(patterns, log) => log.to_owned(),
        _ => path.to_owned(),
    }
}

/// Everything below the roots, by path.
fn list(context: &Context, patterns: &[Pattern]) -> Result<BTreeMap<String, Metadata>, Failure> {
    let mut found = BTreeMap::new();
    let roots: BTreeSet<_> = patterns
        .iter()
        .map(|p| (p.root.as_str(), p.depth))
        .collect();
    for (root, max_depth) in roots {
        let options = WalkOptions {
            max_depth,
            one_file_system: false,
        };
        let walked = context.files().walk_all(root, options).optional();
        let walked = walked.doing(|| format!("list the logs in `{root}`"))?;
        let (entries, errors) = walked.unwrap_or_default();
        for error in errors {
            context.warn(format!("cannot be read: {error}"));
        }
        for entry in entries {
            if entry.raw.is_some() {
                context.warn(format!(
                    "left out, because its name is not UTF-8: {}",
                    entry.path
                ));
                continue;
            }
            found.insert(join(root, &entry.path), entry.metadata);
        }
    }
    Ok(found)
}

fn see(path: String, found: &BTreeMap<String, Metadata>) -> Seen {
    let near = found.range(path.clone()..);
    let near = near.take_while(|(other, _)| other.starts_with(&path));
    let archives = near.filter_map(|(other, metadata)| {
        let (stamp, suffix) = parse(&other[path.len()..])?;
        Some(Archive {
            path: other.clone(),
            stamp,
            suffix: suffix.to_owned(),
            metadata: *metadata,
        })
    });
    Seen {
        archives: archives.collect(),
        log: found.get(&path).copied(),
        pending: found.contains_key(&pending_path(&path)),
        path,
    }
}
