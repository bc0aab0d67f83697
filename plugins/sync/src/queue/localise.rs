//! Where keys go at this end: the first rule whose pattern matches names the container.

use super::config::Localise;
use super::item::Noun;
use crate::mirror::wild::{self, Language};

/// The key that an item has here. What the wildcards of a pattern stand for stays below the
/// container, so that two keys do not come to be one.
pub fn localise(rules: &[Localise], noun: &Noun, key: &str) -> String {
    match (noun, key.split_once("/[")) {
        // `TABLE/[KEY, …]`: the key's own values may hold anything.
        (Noun::Record, Some((table, row))) => match rule(rules, table) {
            Some(rule) => format!("{}/[{row}", rule.container.trim_matches('/')),
            None => key.to_owned(),
        },
        _ => match rule(rules, key) {
            Some(rule) => moved(rule, key),
            None => key.to_owned(),
        },
    }
}

fn rule<'r>(rules: &'r [Localise], key: &str) -> Option<&'r Localise> {
    rules
        .iter()
        .find(|rule| wild::matches(rule.pattern.as_bytes(), key.as_bytes(), Language::Git))
}

/// The container instead of the folders that come before the first wildcard.
fn moved(rule: &Localise, key: &str) -> String {
    let literal = |name: &&str| !wild::is_wild(name.as_bytes());
    let names = rule.pattern.split('/').take_while(literal).count();
    let inner = key.matches('/').count();
    let mut rest = key;
    for _ in 0..names.min(inner) {
        rest = rest.split_once('/').map_or(rest, |(_, rest)| rest);
    }
    match rule.container.trim_end_matches('/') {
        "" => rest.to_owned(),
        container => format!("{container}/{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(all: &[(&str, &str)]) -> Vec<Localise> {
        let rule = |(pattern, container): &(&str, &str)| Localise {
            pattern: (*pattern).to_owned(),
            container: (*container).to_owned(),
        };
        all.iter().map(rule).collect()
    }

    #[test]
    fn the_first_rule_decides() {
        let rules = rules(&[
            ("news/*", "/archive/"),
            ("news/**", "deep"),
            ("top", ""),
            ("in/one", "out"),
            ("**/x.html", "pages"),
        ]);
        for (key, expected) in [
            ("news/a", "/archive/a"),
            ("news/2024/a", "deep/2024/a"),
            ("news/2025/a", "deep/2025/a"),
            ("top", "top"),
            ("in/one", "out/one"),
            ("a/b/x.html", "pages/a/b/x.html"),
            ("other/a", "other/a"),
        ] {
            assert_eq!(localise(&rules, &Noun::File, key), expected, "{key}");
        }
    }

    #[test]
    fn records_change_their_table() {
        let rules = rules(&[("people", "persons")]);
        for (key, expected) in [
            (r#"people/["a/b"]"#, r#"persons/["a/b"]"#),
            (r#"other/["people"]"#, r#"other/["people"]"#),
        ] {
            assert_eq!(localise(&rules, &Noun::Record, key), expected);
        }
    }
}
