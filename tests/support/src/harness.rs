//! Tests that need external programs, for targets with `harness = false`.
//!
//! A trial whose program cannot be had is reported as ignored with the reason; with
//! `CI=true` it fails, so that a green build has really tested everything.

use std::env;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::tools::{Tool, Unavailable};

/// A test that runs `body` once all of `needs` are there. As elsewhere, a panic
/// is a failure.
pub fn trial<F>(name: &str, needs: &[Tool], body: F) -> Trial
where
    F: FnOnce() + Send + 'static,
{
    let needs = needs.to_vec();
    Trial::ignorable_test(name, move || {
        let missing = needs.iter().find_map(|tool| tool.path().err());
        match missing {
            None => {
                body();
                Ok(Completion::Completed)
            }
            Some(missing) => without(&missing, strict()),
        }
    })
}

/// A test of something that not every machine has or allows: `need` gets it.
pub fn trial_with<N, F>(
    name: &str,
    need: impl FnOnce() -> Result<N, Unavailable> + Send + 'static,
    body: F,
) -> Trial
where
    F: FnOnce(N) + Send + 'static,
{
    Trial::ignorable_test(name, move || match need() {
        Ok(found) => {
            body(found);
            Ok(Completion::Completed)
        }
        Err(missing) => without(&missing, strict()),
    })
}

/// The `main` of a test target: takes the usual arguments, runs the trials, and
/// ends with the usual exit code.
pub fn main(trials: Vec<Trial>) -> ! {
    libtest_mimic::run(&Arguments::from_args(), trials).exit()
}

fn strict() -> bool {
    env::var("CI").is_ok_and(|value| value == "true")
}

fn without(missing: &Unavailable, strict: bool) -> Result<Completion, Failed> {
    if strict {
        return Err(Failed::from(missing.to_string()));
    }
    Ok(Completion::ignored_with(missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing() -> Unavailable {
        Unavailable {
            tool: "frobnicate".to_owned(),
            reason: "nobody packages it".to_owned(),
        }
    }

    #[test]
    fn a_missing_tool_is_a_reason_to_ignore() {
        let Ok(Completion::Ignored {
            reason: Some(reason),
        }) = without(&missing(), false)
        else {
            panic!("not ignored");
        };
        assert_eq!(reason, "frobnicate cannot be had: nobody packages it");
    }

    #[test]
    fn a_missing_tool_fails_under_ci() {
        let failed = without(&missing(), true).err().unwrap();
        assert!(failed.message().unwrap().contains("nobody packages it"));
    }
}
