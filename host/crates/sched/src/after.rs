//! Tasks that run after another task: whether the definitions go round in a circle. Which
//! outcome sets one off is said by [`AfterOn`](mhost_model::schedule::AfterOn) itself.

use std::collections::{BTreeMap, BTreeSet};

use mhost_model::Name;

/// A circle in "`key` runs after `value`": its names, each running after the next and
/// the last after the first, beginning with the one that sorts first. None where
/// every chain ends.
pub fn cycle(after: &BTreeMap<Name, Name>) -> Option<Vec<Name>> {
    let mut done = BTreeSet::new();
    for start in after.keys() {
        let mut path = Vec::new();
        let mut on_path = BTreeSet::new();
        let mut at = start;
        while done.insert(at) {
            path.push(at);
            on_path.insert(at);
            let Some(next) = after.get(at) else { break };
            at = next;
        }
        if on_path.contains(at) && after.contains_key(at) {
            return Some(circle(&path, at));
        }
    }
    None
}

/// The part of the path from `entry` on, turned so that the first name is the least.
fn circle(path: &[&Name], entry: &Name) -> Vec<Name> {
    let names = path.iter().skip_while(|name| **name != entry);
    let mut names: Vec<Name> = names.map(|name| (*name).clone()).collect();
    let least = (0..names.len()).min_by_key(|at| &names[*at]).unwrap_or(0);
    names.rotate_left(least);
    names
}

#[cfg(test)]
mod tests {
    use mhost_model::run::Outcome;
    use mhost_model::schedule::AfterOn;

    use super::*;

    #[test]
    fn outcomes_that_set_off() {
        use Outcome::*;
        for (on, expected) in [
            (AfterOn::Succeeded, vec![Succeeded]),
            (AfterOn::Failed, vec![Failed, TimedOut, Lost]),
            (
                AfterOn::Any,
                vec![Succeeded, Failed, TimedOut, Cancelled, Lost],
            ),
        ] {
            let all = [
                Succeeded, Failed, TimedOut, Cancelled, Skipped, Coalesced, Lost,
            ];
            let found: Vec<_> = all.into_iter().filter(|o| on.is_set_off_by(*o)).collect();
            assert_eq!(found, expected);
        }
    }

    fn names(pairs: &str) -> BTreeMap<Name, Name> {
        let pair = |pair: &str| {
            let (task, after) = pair.split_once('>').unwrap();
            (task.parse().unwrap(), after.parse().unwrap())
        };
        pairs.split_whitespace().map(pair).collect()
    }

    #[test]
    fn circles() {
        for (pairs, expected) in [
            ("", ""),
            ("b>a c>b d>b", ""),
            ("a>a", "a"),
            ("a>b b>a", "a b"),
            ("a>z z>y y>x x>z", "x z y"),
            ("a>b b>c m>n n>o o>m", "m n o"),
            ("d>gone c>d", ""),
        ] {
            let found = cycle(&names(pairs)).unwrap_or_default();
            let found: Vec<_> = found.iter().map(Name::as_str).collect();
            assert_eq!(found.join(" "), expected, "{pairs}");
        }
    }

    #[test]
    fn a_chain_of_a_million_is_walked_once() {
        let name = |n: u32| format!("t{n:07}").parse::<Name>().unwrap();
        let mut chain: BTreeMap<_, _> = (1..100_000).map(|n| (name(n), name(n - 1))).collect();
        assert_eq!(cycle(&chain), None);
        chain.insert(name(0), name(99_999));
        assert_eq!(cycle(&chain).map(|c| c.len()), Some(100_000));
    }
}
