//! What becomes of one path, from what each side has and what both had: pure.

use std::collections::{BTreeMap, BTreeSet};

use super::super::config::Conflicts;
use super::super::stream::{Path, below, parent};
use super::side::{Print, Side};

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Nothing,
    /// `to` becomes what `from` has.
    There,
    /// `from` becomes what `to` has.
    Here,
    /// Both changed.
    Doubt(Doubt),
}

/// How a conflict is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    There,
    Here,
    /// Both stay, under two names.
    Both,
    /// Nobody decides.
    Ask,
}

/// Compares both sides with what they had when they were equal last.
pub fn decide(
    a: Option<&Print>,
    b: Option<&Print>,
    base: Option<u64>,
    conflicts: Conflicts,
) -> Decision {
    let (x, y) = (a.map(Print::digest), b.map(Print::digest));
    if x == y {
        return Decision::Nothing;
    }
    match (a, b) {
        _ if y == base => Decision::There,
        _ if x == base => Decision::Here,
        // A change beats a deletion.
        (Some(_), None) => Decision::Doubt(Doubt::There),
        (None, Some(_)) => Decision::Doubt(Doubt::Here),
        (None, None) => Decision::Nothing,
        (Some(a), Some(b)) => Decision::Doubt(settle(a, b, conflicts)),
    }
}

/// The decisions for all paths, and those that stay open: a path of which one side has a
/// directory with something in it that stays, and the other something else. Nothing is
/// decided of what either side leaves out: that it is not listed does not make it gone.
pub fn all<'p>(
    here: &'p Side,
    there: &'p Side,
    base: &'p BTreeMap<Path, u64>,
    conflicts: Conflicts,
) -> (BTreeMap<&'p Path, Decision>, Vec<Path>) {
    let left_out = here.left_out.iter().chain(&there.left_out);
    // Directories that something lies in afterwards.
    let mut filled: BTreeSet<Path> = left_out.map(|path| Path(parent(path).to_vec())).collect();
    let counts = |path: &&Path| !here.leaves_out(&path.0) && !there.leaves_out(&path.0);
    let (here, there) = (&here.entries, &there.entries);
    let paths = here.keys().chain(there.keys()).chain(base.keys());
    let mut decisions: BTreeMap<&Path, Decision> = paths
        .filter(counts)
        .map(|path| {
            let (a, b) = (here.get(path), there.get(path));
            (path, decide(a, b, base.get(path).copied(), conflicts))
        })
        .collect();
    let mut open = Vec::new();
    for (path, decision) in decisions.iter_mut().rev() {
        let (a, b) = (here.get(path), there.get(path));
        if filled.contains(path) && !outcome(*decision, a, b).is_some_and(Print::is_directory) {
            match (a, b) {
                (Some(a), None) if a.is_directory() => *decision = Decision::There,
                (None, Some(b)) if b.is_directory() => *decision = Decision::Here,
                _ => *decision = Decision::Doubt(Doubt::Ask),
            }
        }
        if *decision == Decision::Doubt(Doubt::Ask) {
            open.push((*path).clone());
        }
        let stays = outcome(*decision, a, b).is_some() || *decision == Decision::Doubt(Doubt::Ask);
        if stays && !path.0.is_empty() {
            filled.insert(Path(parent(&path.0).to_vec()));
        }
    }
    let left = |path: &Path| open.iter().any(|top| below(&path.0, &top.0));
    decisions.retain(|path, _| !left(path));
    (decisions, open)
}

/// What a path is after a decision.
fn outcome<'p>(
    decision: Decision,
    a: Option<&'p Print>,
    b: Option<&'p Print>,
) -> Option<&'p Print> {
    match decision {
        Decision::Nothing | Decision::There | Decision::Doubt(Doubt::There | Doubt::Both) => a,
        Decision::Here | Decision::Doubt(Doubt::Here) => b,
        Decision::Doubt(Doubt::Ask) => a.or(b),
    }
}

fn settle(a: &Print, b: &Print, conflicts: Conflicts) -> Doubt {
    // Only the modes differ: there is nothing to lose.
    if a.alike(b) {
        return Doubt::There;
    }
    if conflicts == Conflicts::Ask {
        return Doubt::Ask;
    }
    // A directory against something else: what is in it decides for itself.
    if a.is_directory() || b.is_directory() {
        return Doubt::Ask;
    }
    let by = match conflicts {
        Conflicts::Newer => a.modified.cmp(&b.modified),
        Conflicts::Larger => a.size.cmp(&b.size),
        Conflicts::KeepBoth | Conflicts::Ask => std::cmp::Ordering::Equal,
    };
    match by {
        std::cmp::Ordering::Greater => Doubt::There,
        std::cmp::Ordering::Less => Doubt::Here,
        std::cmp::Ordering::Equal => Doubt::Both,
    }
}

/// `notes.txt` → `notes.conflict-1.txt`, the first that is free.
pub fn other_name(path: &Path, taken: impl Fn(&Path) -> bool) -> Path {
    let slash = path.0.iter().rposition(|byte| *byte == b'/');
    let start = slash.map_or(0, |at| at + 1);
    let name = &path.0[start..];
    let dot = name
        .iter()
        .rposition(|byte| *byte == b'.')
        .filter(|at| *at > 0);
    let (stem, end) = name.split_at(dot.unwrap_or(name.len()));
    // A name has at most 255 bytes.
    let stem = &stem[..stem.len().min(230usize.saturating_sub(end.len()))];
    let mut n = 1u64;
    loop {
        let middle = format!(".conflict-{n}");
        let bytes = [&path.0[..start], stem, middle.as_bytes(), end].concat();
        let candidate = Path(bytes);
        if !taken(&candidate) {
            return candidate;
        }
        n += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mhost_sdk::files::Kind;
    use proptest::prelude::*;

    fn print(content: u8) -> Print {
        Print {
            kind: Kind::File,
            mode: 0o644,
            uid: 0,
            gid: 0,
            size: u64::from(content),
            modified: (i64::from(content / 2), 0),
            link: Vec::new(),
        }
    }

    fn policies() -> impl Strategy<Value = Conflicts> {
        prop_oneof![
            Just(Conflicts::Newer),
            Just(Conflicts::Larger),
            Just(Conflicts::KeepBoth),
            Just(Conflicts::Ask),
        ]
    }

    fn things() -> impl Strategy<Value = Option<u8>> {
        proptest::option::of(0u8..5)
    }

    proptest! {
        /// Exchanging the sides exchanges the decision.
        #[test]
        fn no_side_is_preferred(a in things(), b in things(), base in things(), policy in policies()) {
            let (x, y, z) = (a.map(print), b.map(print), base.map(print));
            let base = z.as_ref().map(Print::digest);
            let one = decide(x.as_ref(), y.as_ref(), base, policy);
            let other = decide(y.as_ref(), x.as_ref(), base, policy);
            let turned = match other {
                Decision::There => Decision::Here,
                Decision::Here => Decision::There,
                Decision::Doubt(Doubt::There) => Decision::Doubt(Doubt::Here),
                Decision::Doubt(Doubt::Here) => Decision::Doubt(Doubt::There),
                same => same,
            };
            prop_assert_eq!(one, turned);
        }

        /// What only one side changed is carried over; without a change nothing is done.
        #[test]
        fn one_change_is_no_conflict(base in things(), new in things(), policy in policies()) {
            let (old, new) = (base.map(print), new.map(print));
            let digest = old.as_ref().map(Print::digest);
            let decision = decide(new.as_ref(), old.as_ref(), digest, policy);
            let expected = match old == new {
                true => Decision::Nothing,
                false => Decision::There,
            };
            prop_assert_eq!(decision, expected);
        }

        /// A content that is in no base is never thrown away for a deletion.
        #[test]
        fn a_change_beats_a_deletion(base in things(), new in 5u8..9, policy in policies()) {
            let (old, new) = (base.map(print), print(new));
            let digest = old.as_ref().map(Print::digest);
            let decision = decide(Some(&new), None, digest, policy);
            prop_assert!(matches!(decision, Decision::There | Decision::Doubt(Doubt::There)));
        }
    }

    #[test]
    fn other_names() {
        for (path, expected) in [
            ("a/notes.txt", "a/notes.conflict-1.txt"),
            ("notes", "notes.conflict-1"),
            (".hidden", ".hidden.conflict-1"),
        ] {
            let name = other_name(&Path(path.as_bytes().to_vec()), |_| false);
            assert_eq!(name.0, expected.as_bytes());
        }
        let long = Path([b'x'; 255].to_vec());
        let name = other_name(&long, |name| !name.0.ends_with(b"-12"));
        assert!(name.0.len() <= 255 && name.0.ends_with(b".conflict-12"));
    }
}
