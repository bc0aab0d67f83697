//! What people are told: the outbox, the alerts that stand, and a test of a channel.

use std::sync::Arc;

use mhost_channels::{Bundle, Item};
use mhost_model::Name;
use mhost_model::alert::Severity;
use mhost_model::notify::{Event, EventKind, Standing};
use mhost_store::Letter;
use serde::{Deserialize, Serialize};

use super::tasks::find;
use super::{Call, page};
use crate::app::App;
use crate::exit::{Outcomes, Problem};
use crate::post::{Carrier as _, Channels, machine};

/// Sends one message through a channel, now and past the outbox, so that it is seen
/// whether it arrives.
#[derive(Debug, Serialize, Deserialize)]
pub struct TestChannel {
    pub channel: Name,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Tested {
    pub channel: Name,
    pub kind: String,
}

impl Call for TestChannel {
    const PATH: &'static str = "notify/test";
    const REPEATABLE: bool = false;
    type Answer = Tested;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        let definitions = app.store.definitions().await?;
        let Some(channel) = definitions.channels.get(&self.channel) else {
            return Err(no_channel(&self.channel, definitions.channels.keys()));
        };
        let machine = machine();
        let title = format!("test of the channel {}", self.channel);
        let event = Event {
            text: format!("mhost on {machine} can reach you this way."),
            ..Event::new(EventKind::Test, app.now(), Severity::Degraded, title)
        };
        let bundle = Bundle {
            channel: self.channel.clone(),
            machine,
            items: vec![Item {
                id: 0,
                event,
                files: Vec::new(),
            }],
        };
        let sent = Channels.carry(channel, &bundle, app.now()).await;
        sent.map_err(|failure| {
            let message = format!(
                "the channel `{}` cannot deliver: {}",
                self.channel, failure.why
            );
            Problem::failed(message)
                .hint("mend `[channels]` in mhost.toml, apply it, and test again")
        })?;
        Ok(Tested {
            channel: self.channel,
            kind: channel.kind().to_owned(),
        })
    }
}

fn no_channel<'a>(name: &Name, known: impl Iterator<Item = &'a Name>) -> Problem {
    let problem = Problem::not_found(format!("there is no channel `{name}`"));
    let known: Vec<String> = known.map(|name| format!("`{name}`")).collect();
    problem.hint(match known.is_empty() {
        true => format!("define it in mhost.toml: `[channels.{name}]`"),
        false => format!("there are {}", known.join(", ")),
    })
}

/// The newest letters, newest first.
#[derive(Debug, Serialize, Deserialize)]
pub struct ListLetters {
    /// Only those that wait, oldest first.
    pub waiting: bool,
    pub limit: usize,
}

impl Call for ListLetters {
    const PATH: &'static str = "notify/letters";
    type Answer = Vec<Letter>;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        let limit = page(self.limit)?;
        Ok(match self.waiting {
            true => app.notices.waiting(limit).await?,
            false => app.notices.letters(limit).await?,
        })
    }
}

/// The alerts that stand.
#[derive(Debug, Serialize, Deserialize)]
pub struct ListAlerts {}

impl Call for ListAlerts {
    const PATH: &'static str = "notify/alerts";
    type Answer = Vec<Standing>;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        Ok(app.notices.alerts().await?)
    }
}

/// Says that somebody knows: what stands is not told again.
#[derive(Debug, Serialize, Deserialize)]
pub struct Acknowledge {
    /// All tasks where absent.
    pub task: Option<Name>,
    /// All alerts of the task where absent.
    pub key: Option<String>,
}

impl Call for Acknowledge {
    const PATH: &'static str = "notify/ack";
    type Answer = Vec<Standing>;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        let acknowledged = app
            .notices
            .acknowledge(self.task.clone(), self.key.clone())
            .await?;
        if acknowledged.is_empty()
            && let Some(task) = &self.task
        {
            find(app, task).await?;
            let what = match &self.key {
                Some(key) => format!("alert `{key}` of `{task}`"),
                None => format!("alert of `{task}`"),
            };
            let problem = Problem::not_found(format!("no {what} waits to be acknowledged"));
            return Err(problem.hint("`mhost notify alerts` shows what stands"));
        }
        Ok(acknowledged)
    }
}
