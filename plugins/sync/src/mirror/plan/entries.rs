//! One entry of the source beside what the target has there.

use mhost_sdk::files::{Changes, Kind, Moment};
use mhost_sdk::trees::{Facts, Record};

use super::Code;
use crate::mirror::config::{Links, Mirror};

/// How entries are compared, from the configuration and from what the target can keep.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    pub owners: bool,
    pub permissions: bool,
    pub times: bool,
    pub attributes: bool,
    pub size_only: bool,
    pub ignore_times: bool,
    pub window: i64,
}

impl Rules {
    pub fn new(config: &Mirror, source: Facts, target: Facts) -> Self {
        Self {
            owners: config.owners && target.owners,
            permissions: config.permissions,
            times: config.times,
            attributes: config.attributes && source.attributes && target.attributes,
            size_only: config.size_only,
            ignore_times: config.ignore_times,
            window: i64::from(config.modify_window),
        }
    }

    /// All that an entry should have.
    pub fn wanted(&self, source: &Record<'_>) -> Changes {
        let link = source.kind() == Some(Kind::SymbolicLink);
        Changes {
            mode: (self.permissions && !link).then(|| self.mode(source)),
            uid: self.owners.then(|| source.uid()),
            gid: self.owners.then(|| source.gid()),
            modified: self.times.then(|| source.modified()),
            accessed: None,
        }
    }

    /// The mode that an entry should have: without its owner, nothing that gives the rights
    /// of the one that it has instead.
    fn mode(&self, source: &Record<'_>) -> u32 {
        match self.owners {
            true => source.mode(),
            false => source.mode() & 0o1777,
        }
    }

    /// The quick check: equal size and time. A target file system that keeps whole
    /// seconds or hundredths is compared by them.
    pub fn quick(&self, source: &Record<'_>, target: &Record<'_>) -> bool {
        if source.size() != target.size() || self.ignore_times {
            return false;
        }
        self.size_only || self.near(source.modified(), target.modified())
    }

    fn near(&self, a: Moment, b: Moment) -> bool {
        if self.window > 0 {
            return (a.seconds - b.seconds).abs() <= self.window;
        }
        a.seconds == b.seconds && (a.nanoseconds == b.nanoseconds || coarse(a, b))
    }

    /// What of the metadata differs, noted in the code; `None` where nothing does.
    pub fn differing(&self, source: &Record<'_>, target: &Record<'_>) -> Option<(Changes, bool)> {
        let link = source.kind() == Some(Kind::SymbolicLink);
        let differ = |keep: bool, differs: bool| keep && differs;
        let times = self.times
            && match self.window {
                0 => source.modified() != target.modified(),
                _ => !self.near(source.modified(), target.modified()),
            };
        let mode = differ(
            self.permissions && !link,
            self.mode(source) != target.mode(),
        );
        let uid = differ(self.owners, source.uid() != target.uid());
        let gid = differ(self.owners, source.gid() != target.gid());
        let attributes = differ(
            self.attributes && !link,
            source.attributes() != target.attributes(),
        );
        if !(times || mode || uid || gid || attributes) {
            return None;
        }
        let changes = Changes {
            // Changing the owner clears bits of the mode.
            mode: (mode || ((uid || gid) && self.permissions && !link)).then(|| self.mode(source)),
            uid: uid.then(|| source.uid()),
            gid: gid.then(|| source.gid()),
            modified: times.then(|| source.modified()),
            accessed: None,
        };
        Some((changes, attributes))
    }

    /// The code of an entry that is there: what differs.
    pub fn code(&self, action: u8, source: &Record<'_>, target: &Record<'_>) -> Code {
        let mut code = Code::same(action, letter(source));
        let kind = source.kind();
        if kind == Some(Kind::File) && source.size() != target.size() {
            code.0[3] = b's';
        }
        if let Some((changes, attributes)) = self.differing(source, target) {
            let marks = [
                (4, b't', changes.modified.is_some()),
                (
                    5,
                    b'p',
                    changes.mode.is_some() && self.mode(source) != target.mode(),
                ),
                (6, b'o', changes.uid.is_some()),
                (7, b'g', changes.gid.is_some()),
                (10, b'x', attributes),
            ];
            for (at, mark, _) in marks.iter().filter(|(_, _, set)| *set) {
                code.0[*at] = *mark;
            }
        }
        code
    }
}

/// Whether a time may be another one as a file system with whole seconds or hundredths of
/// them keeps it.
fn coarse(fine: Moment, kept: Moment) -> bool {
    const HUNDREDTH: u32 = 10_000_000;
    kept.nanoseconds == 0 || kept.nanoseconds == fine.nanoseconds / HUNDREDTH * HUNDREDTH
}

/// rsync's letter of a kind.
pub fn letter(record: &Record<'_>) -> u8 {
    match record.kind() {
        Some(Kind::Directory) => b'd',
        Some(Kind::SymbolicLink) => b'L',
        Some(Kind::BlockDevice | Kind::CharacterDevice) => b'D',
        Some(Kind::Fifo | Kind::Socket) => b'S',
        Some(Kind::File) | None => b'f',
    }
}

/// Whether the configuration wants an entry.
pub fn is_wanted(config: &Mirror, source: &Record<'_>) -> bool {
    match source.kind() {
        Some(Kind::Directory) => true,
        Some(Kind::File) => {
            config.max_size.is_none_or(|most| source.size() <= most)
                && config.min_size.is_none_or(|least| source.size() >= least)
        }
        Some(Kind::SymbolicLink) => match config.links {
            Links::Copy => true,
            Links::Safe => !leads_out(source.path(), source.text()),
            Links::Skip => false,
        },
        Some(_) => config.specials,
        None => false,
    }
}

/// Whether a link's text is absolute, or climbs above the tree's top on its way.
pub fn leads_out(path: &[u8], text: &[u8]) -> bool {
    if text.is_empty() || text.starts_with(b"/") {
        return true;
    }
    let mut depth = path.iter().filter(|byte| **byte == b'/').count();
    for name in text.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." if depth == 0 => return true,
            b".." => depth -= 1,
            _ => depth += 1,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_lead_out() {
        for (path, text, expected) in [
            ("l", "x", false),
            ("l", "/x", true),
            ("l", "../x", true),
            ("d/l", "../x", false),
            ("d/l", "../../x", true),
            ("l", "d/../../x", true),
            ("l", "./d//../x", false),
        ] {
            let found = leads_out(path.as_bytes(), text.as_bytes());
            assert_eq!(found, expected, "{path} -> {text}");
        }
    }
}
