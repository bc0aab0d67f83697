//! "Did you mean …?"

/// The candidate that somebody most likely meant by `word`; none where nothing is near.
pub(super) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if word.is_empty() || word.len() > 200 {
        return None;
    }
    let lower = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            let distance = strsim::osa_distance(&lower, &candidate.to_lowercase());
            (distance, candidate)
        })
        .filter(|(distance, candidate)| *distance <= candidate.len().max(lower.len()).max(3) / 3)
        .min()
        .map(|(_, candidate)| candidate)
}

/// The remedy for a `word` that is none of the candidates: the one that was meant, or what
/// else helps.
pub(super) fn remedy<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
    otherwise: impl FnOnce() -> String,
) -> String {
    match nearest(word, candidates) {
        Some(near) => format!("did you mean `{near}`?"),
        None => otherwise(),
    }
}

/// "`a`, `b` and `c`"; a long list is cut.
pub(super) fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.as_slice() {
        [] => "none".to_owned(),
        [one] => one.clone(),
        many if many.len() > 24 => {
            format!("{} and {} more", many[..24].join(", "), many.len() - 24)
        }
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words() {
        let check = |word, expected| {
            assert_eq!(
                nearest(word, ["schedule", "plugin", "policy"]),
                expected,
                "{word}"
            );
        };
        check("shedule", Some("schedule"));
        check("Plugin", Some("plugin"));
        check("plocy", Some("policy"));
        check("action", None);
        check("", None);
    }

    #[test]
    fn lists() {
        assert_eq!(list(["a"]), "`a`");
        assert_eq!(list(["a", "b", "c"]), "`a`, `b` and `c`");
        assert!(list(vec!["a"; 30]).ends_with("and 6 more"));
    }
}
