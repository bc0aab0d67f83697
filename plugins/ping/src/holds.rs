//! Who is at work on a target: while another task of this host declares that it holds it,
//! what the target answers means nothing.

use mhost_sdk::{Context, Result};

use crate::config::{Config, Target};

/// For each target the task that holds it.
#[derive(Debug, Clone, Default)]
pub struct Holders(Vec<Option<String>>);

impl Holders {
    /// Who holds what now.
    pub fn ask(context: &Context, config: &Config, labels: &[String]) -> Result<Self> {
        let own = context.task().to_owned();
        let mut names = vec![own.clone()];
        let targets = config.targets.iter().zip(labels);
        // Where each target's names begin; those before are the whole check's.
        let mut begins = Vec::with_capacity(labels.len() + 1);
        for (target, label) in targets {
            begins.push(names.len());
            names.push(label.clone());
            names.extend(thing(target));
        }
        begins.push(names.len());
        let found = context.tasks().holders_of(&names)?;
        // A check that holds its own targets would never look.
        let first = |range: std::ops::Range<usize>| {
            let holds = found.get(range).unwrap_or_default().iter().flatten();
            holds
                .map(|hold| &hold.task)
                .find(|task| **task != own)
                .cloned()
        };
        let all = first(0..1);
        let of = |pair: &[usize]| all.clone().or_else(|| first(pair[0]..pair[1]));
        Ok(Self(begins.windows(2).map(of).collect()))
    }

    /// The task that holds a target.
    pub fn of(&self, at: usize) -> Option<&str> {
        self.0.get(at)?.as_deref()
    }

    /// Those that held a target before its check, and those that do after it: what ended
    /// meanwhile was on while it was asked.
    pub fn or(self, later: Self) -> Self {
        if self.0.is_empty() {
            return later;
        }
        let both = self.0.into_iter().zip(later.0);
        Self(both.map(|(before, after)| before.or(after)).collect())
    }
}

/// What a target looks at has a name of its own, by which a task may hold it.
fn thing(target: &Target) -> Option<String> {
    let task = target.task.as_ref().map(|task| task.name.clone());
    target.database.clone().or(target.process.clone()).or(task)
}
