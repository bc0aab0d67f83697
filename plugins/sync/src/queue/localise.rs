//! Where keys go at this end: the first rule whose pattern matches names the container.

use super::config::Localise;
use crate::mirror::wild::{self, Language};

/// The key that an item has here.
pub fn localise(rules: &[Localise], key: &str) -> String {
    let matching = rules
        .iter()
        .find(|rule| wild::matches(rule.pattern.as_bytes(), key.as_bytes(), Language::Git));
    let Some(rule) = matching else {
        return key.to_owned();
    };
    let name = key.rsplit('/').next().unwrap_or(key);
    match rule.container.trim_end_matches('/') {
        "" => name.to_owned(),
        container => format!("{container}/{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_decides() {
        let rules: Vec<Localise> = [("news/*", "/archive/"), ("news/**", "deep"), ("top", "")]
            .map(|(pattern, container)| Localise {
                pattern: pattern.to_owned(),
                container: container.to_owned(),
            })
            .into();
        for (key, expected) in [
            ("news/a", "/archive/a"),
            ("news/2024/a", "deep/a"),
            ("top", "top"),
            ("other/a", "other/a"),
        ] {
            assert_eq!(localise(&rules, key), expected);
        }
    }
}
