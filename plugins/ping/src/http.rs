//! Asking over HTTP, many targets at the same time.

use mhost_sdk::http::{Request, Response};
use mhost_sdk::{Context, Result};

use crate::config::Target;
use crate::finding::{Finding, Phases, millis};

/// So many at the same time.
const TOGETHER: usize = 64;

/// Of an error's text, so much stands in the report.
const MOST_SHOWN: usize = 120;

/// Asks each once; the findings in the order of the targets.
pub fn ask(context: &Context, targets: &[&Target]) -> Vec<Finding> {
    let groups = targets.chunks(TOGETHER);
    groups.flat_map(|group| ask_group(context, group)).collect()
}

fn ask_group(context: &Context, targets: &[&Target]) -> Vec<Finding> {
    let built: Vec<_> = targets
        .iter()
        .map(|target| request(context, target))
        .collect();
    let requests: Vec<_> = built
        .iter()
        .filter_map(|request| request.as_ref().ok().cloned())
        .collect();
    let mut answers = context.fetch(&requests).into_iter();
    let findings = targets.iter().zip(built).map(|(target, built)| {
        let answer = built.and_then(|_| {
            let lost = || mhost_sdk::Error::Failed("the host lost the answer".to_owned());
            answers.next().unwrap_or_else(|| Err(lost()))
        });
        match answer {
            Ok(response) => judge(target, &response),
            Err(error) => Finding::failed(target.label(), error),
        }
    });
    findings.collect()
}

fn request(context: &Context, target: &Target) -> Result<Request> {
    let url = target.http.as_deref().unwrap_or_default();
    let mut request = Request::new(&target.method, url).timeout(target.timeout.duration());
    request.headers = vec![("user-agent".to_owned(), "mhost-ping".to_owned())];
    for (name, value) in &target.headers {
        if name.eq_ignore_ascii_case("user-agent") {
            request.headers.clear();
        }
        request.headers.push((name.clone(), value.clone()));
    }
    if let Some(name) = &target.bearer_secret {
        let secret = context.secret(name)?;
        request = request.header("authorization", &format!("Bearer {secret}"));
    }
    request.body = target.body.clone().unwrap_or_default().into_bytes();
    if target.expect_body.is_none() {
        // The end of the body is part of a good answer, but not what is in it.
        request.max_body = 1 << 16;
    }
    Ok(request)
}

fn judge(target: &Target, response: &Response) -> Finding {
    let problem = wrong_status(target, response).or_else(|| wrong_body(target, response));
    let finding = Finding {
        status: Some(response.status),
        latency_ms: Some(millis(response.total)),
        phases_ms: Some(Phases {
            first_byte: Some(millis(response.first_byte)),
            ..Phases::default()
        }),
        ..Finding::new(target.label())
    };
    finding.judged(problem)
}

fn wrong_status(target: &Target, response: &Response) -> Option<String> {
    let status = response.status;
    if target
        .expect_status
        .iter()
        .any(|expected| expected.fits(status))
    {
        return None;
    }
    let expected: Vec<_> = target
        .expect_status
        .iter()
        .map(ToString::to_string)
        .collect();
    let location = response
        .headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("location"));
    let led = match location {
        Some((_, to)) if status / 100 == 3 => {
            format!(
                " (it leads to `{}`, which is not followed: name that instead)",
                shown(to)
            )
        }
        _ => String::new(),
    };
    Some(format!(
        "it answered {status}{led}, expected {}",
        expected.join(" or ")
    ))
}

fn wrong_body(target: &Target, response: &Response) -> Option<String> {
    let expected = target.expect_body.as_deref()?;
    if String::from_utf8_lossy(&response.body).contains(expected) {
        return None;
    }
    let within = match response.cut {
        true => format!("the first {} bytes of its answer do", response.body.len()),
        false => "its answer does".to_owned(),
    };
    Some(format!("{within} not hold `{}`", shown(expected)))
}

fn shown(text: &str) -> String {
    text.chars().take(MOST_SHOWN).collect()
}
