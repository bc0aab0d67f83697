//! Looks for what is wrong, or soon will be, and says what to do about each.

mod notices;
mod reach;

use std::sync::Arc;

use mhost_model::Fault;
use mhost_model::run::Outcome;
use mhost_store::{StoreError, TaskStatus};
use serde::{Deserialize, Serialize};

use super::Call;
use crate::app::App;
use crate::exit::{Kind, Outcomes, Problem};
use crate::home::Home;
use crate::plugins;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    Ok,
    Warning,
    Error,
}

/// One thing that was looked at.
#[derive(Debug, Serialize, Deserialize)]
pub struct Finding {
    pub weight: Weight,
    /// `store`, `state folder`, `plugin pack`, `task rotate-web` ….
    pub about: String,
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    fn ok(about: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            weight: Weight::Ok,
            about: about.into(),
            text: text.into(),
            remedy: None,
        }
    }

    fn wrong(
        weight: Weight,
        about: impl Into<String>,
        text: impl Into<String>,
        remedy: &str,
    ) -> Self {
        Self {
            weight,
            remedy: Some(remedy.to_owned()),
            ..Self::ok(about, text)
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Doctor {}

impl Call for Doctor {
    const PATH: &'static str = "doctor";
    type Answer = Vec<Finding>;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        let mut findings = vec![state_folder(&app.home), free_space(&app.home)];
        findings.extend(cache(&app.home));
        findings.extend(store(app).await?);
        findings.extend(components(app).await?);
        let tasks = app.all_tasks().await?;
        findings.push(Finding::ok("tasks", format!("{} defined", tasks.len())));
        for status in &tasks {
            findings.extend(task(app, status));
            findings.extend(reach::secrets(status));
        }
        let definitions = app.store.definitions().await?;
        findings.extend(reach::databases(&definitions, &tasks));
        findings.extend(notices::look(app).await?);
        Ok(findings)
    }
}

/// What can be said where the store cannot be opened because it is damaged, or its folder
/// is not safe; another problem stays one.
pub fn without_store(home: &Home, problem: Problem) -> Outcomes<Vec<Finding>> {
    match problem.kind {
        Kind::Damaged => {}
        Kind::Refused if home.check_private().is_err() => {
            return Ok(vec![state_folder(home), free_space(home)]);
        }
        _ => return Err(problem),
    }
    let store = Finding::wrong(
        Weight::Error,
        "store",
        problem.message,
        "keep a copy of the state folder, then restore it from a backup",
    );
    Ok(vec![state_folder(home), free_space(home), store])
}

fn state_folder(home: &Home) -> Finding {
    match home.check_private() {
        Ok(()) => Finding::ok("state folder", home.root().display().to_string()),
        Err(problem) => Finding::wrong(
            Weight::Error,
            "state folder",
            problem.message,
            &problem.hint.unwrap_or_default(),
        ),
    }
}

/// Where it cannot be used, no plugin runs.
fn cache(home: &Home) -> Option<Finding> {
    let fault = mhost_engine::check_cache(&home.cache()).err()?;
    Some(Finding::wrong(
        Weight::Error,
        "cache",
        fault.to_string(),
        &format!(
            "mend it, or remove {}: it is made anew",
            home.cache().display()
        ),
    ))
}

/// Below this the next commits may fail.
const LITTLE_SPACE: u64 = 100 << 20;

fn free_space(home: &Home) -> Finding {
    let about = "free space";
    match rustix::fs::statvfs(home.root()) {
        Ok(found) => {
            let free = found.f_bavail.saturating_mul(found.f_frsize);
            let text = format!("{} for the state", mhost_model::ByteSize(free));
            if free < LITTLE_SPACE {
                Finding::wrong(
                    Weight::Warning,
                    about,
                    text,
                    "make room on this file system",
                )
            } else {
                Finding::ok(about, text)
            }
        }
        Err(error) => Finding::wrong(Weight::Error, about, error.to_string(), "look at the disk"),
    }
}

async fn store(app: &App) -> Outcomes<Vec<Finding>> {
    let faults = match app.store.verify().await {
        Err(StoreError::Failed { why, .. }) => {
            return Ok(vec![Finding::wrong(
                Weight::Error,
                "store",
                format!("it cannot be checked now: {why}"),
                "see whether its disk is full or fails, and look again: nothing says that it is damaged",
            )]);
        }
        checked => checked?,
    };
    if faults.is_empty() {
        return Ok(vec![Finding::ok(
            "store",
            "every record and index is sound",
        )]);
    }
    let remedy = "keep a copy of the state folder, then restore it from a backup";
    let wrong = |text| Finding::wrong(Weight::Error, "store", text, remedy);
    Ok(faults.into_iter().map(wrong).collect())
}

async fn components(app: &App) -> Outcomes<Vec<Finding>> {
    let definitions = app.store.definitions().await?;
    let mut findings = vec![Finding::ok(
        "plugins",
        format!("{} built in", plugins::embedded().len()),
    )];
    for record in definitions.plugins.iter().filter(|record| !record.built_in) {
        let about = format!(
            "plugin {}@{}",
            record.manifest.name, record.manifest.version
        );
        findings.push(match app.catalog.component(record.digest) {
            Ok(_) => Finding::ok(about, "its component is there and unchanged"),
            Err(problem) => Finding::wrong(
                Weight::Error,
                about,
                problem.message,
                &problem.hint.unwrap_or_default(),
            ),
        });
    }
    Ok(findings)
}

fn task(app: &App, TaskStatus { task, progress }: &TaskStatus) -> Vec<Finding> {
    let about = || format!("task {}", task.name);
    let mut findings = Vec::new();
    if let Some(why) = &task.quarantine {
        let remedy = format!("mhost task approve {}", task.name);
        findings.push(Finding::wrong(
            Weight::Error,
            about(),
            format!("in quarantine: {why}"),
            &remedy,
        ));
    }
    if progress.failures > 0 && progress.last_outcome != Some(Outcome::Succeeded) {
        let text = match progress.failures {
            1 => "its last run did not succeed".to_owned(),
            failures => format!("its last {failures} runs did not succeed"),
        };
        let remedy = format!("mhost runs list --task {}", task.name);
        findings.push(Finding::wrong(Weight::Warning, about(), text, &remedy));
    }
    let faults = mhost_engine::check_grants(&task.spec.grants, &app.home.protected()).err();
    for fault in faults.unwrap_or_default() {
        let weight = match fault {
            Fault::Denied(_) => Weight::Error,
            _ => Weight::Warning,
        };
        findings.push(Finding::wrong(
            weight,
            about(),
            fault.to_string(),
            "mend its grants in mhost.toml",
        ));
    }
    findings
}
