//! Files and folders of configurations, with the names that folders leave out.

use super::{Reader, Severity};
use crate::pattern::matches;
use crate::source::{Found, Kind};

/// Includes within includes; deeper ones are a loop.
const DEEPEST: u32 = 16;

/// Bits of a mode that let others than the owner write.
const OTHERS_WRITE: u32 = 0o022;

/// Endings of what package managers and editors leave behind.
const USUAL: [&str; 17] = [
    ",v",
    ".bak",
    ".cfsaved",
    ".disabled",
    ".dpkg-bak",
    ".dpkg-del",
    ".dpkg-dist",
    ".dpkg-new",
    ".dpkg-old",
    ".dpkg-tmp",
    ".rhn-cfg-tmp-*",
    ".rpmnew",
    ".rpmorig",
    ".rpmsave",
    ".swp",
    ".ucf-dist",
    "~",
];

/// As patterns of whole names.
pub(super) fn usual_taboo() -> Vec<String> {
    let more = [".ucf-new", ".ucf-old"];
    let all = USUAL.iter().chain(&more);
    all.map(|ext| format!("*{ext}")).collect()
}

impl Reader<'_> {
    /// Reads a file, or all files of a folder in the order of their names.
    pub(super) fn include(&mut self, path: &str, at: (&str, u32)) {
        if self.depth >= DEEPEST {
            return self.error(
                at,
                format!("`{path}` is included from {DEEPEST} files already"),
            );
        }
        let home = path.strip_prefix("~/").zip(self.source.home());
        let path = home.map_or_else(
            || path.to_owned(),
            |(rest, home)| format!("{}/{rest}", home.trim_end_matches('/')),
        );
        self.depth += 1;
        match self.source.look(&path) {
            Ok(Some(found)) if found.kind == Kind::Directory => self.folder(&path, at),
            Ok(Some(found)) => self.file(&path, found, at),
            Ok(None) => self.error(at, format!("there is no `{path}`")),
            Err(why) => self.error(at, format!("cannot look at `{path}`: {why}")),
        }
        self.depth -= 1;
    }

    fn folder(&mut self, folder: &str, at: (&str, u32)) {
        let names = match self.source.list(folder) {
            Ok(names) => names,
            Err(why) => return self.error(at, format!("cannot list `{folder}`: {why}")),
        };
        for name in names {
            if self
                .taboo
                .iter()
                .any(|taboo| matches(taboo, &name) || hidden(taboo, &name))
            {
                continue;
            }
            let path = format!("{}/{name}", folder.trim_end_matches('/'));
            if let Ok(Some(found)) = self.source.look(&path)
                && found.kind == Kind::File
            {
                self.file(&path, found, at);
            }
        }
    }

    fn file(&mut self, path: &str, found: Found, at: (&str, u32)) {
        if found.kind != Kind::File {
            return self.error(at, format!("`{path}` is no regular file"));
        }
        if found.mode & OTHERS_WRITE != 0 {
            // Whoever can write there could have anything run or removed.
            let mode = found.mode;
            return self.problem(
                at,
                Severity::Warning,
                format!("`{path}` is passed over, because others than its owner can write to it (mode {mode:04o})"),
            );
        }
        if found.uid != 0 && self.source.owner_must_be_root() {
            let uid = found.uid;
            return self.problem(
                at,
                Severity::Warning,
                format!(
                    "`{path}` is passed over, because its owner is wrong (user {uid} in the place of root): \
                     `chown root {path}` if it is to count"
                ),
            );
        }
        match self.source.read(path) {
            Ok(text) => self.text(path, &text),
            Err(why) => self.error((path, 0), format!("cannot be read: {why}")),
        }
    }
}

/// Names that begin with a dot have taboo endings too.
fn hidden(taboo: &str, name: &str) -> bool {
    let ending = taboo.strip_prefix('*');
    ending.is_some_and(|ending| {
        name.starts_with('.') && !ending.contains('*') && name.ends_with(ending)
    })
}
