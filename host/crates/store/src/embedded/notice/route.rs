//! Who is told. The definitions change seldom, so the writing thread keeps them in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use mhost_model::Name;
use mhost_model::channel::ChannelDef;
use mhost_model::notify::{Event, EventKind, Notify};
use mhost_model::task::Task;
use redb::ReadableTable;

use super::super::edit::{CHANNEL, NOTIFY, ONLY};
use super::super::read::parse_name;
use super::super::record::{decode, get};
use super::super::trouble::Res;
use super::super::tx::Tx;

/// The channels, and who is told where a task does not say.
#[derive(Debug, Default)]
pub struct Routes {
    channels: BTreeMap<Name, ChannelDef>,
    everybody: Option<Notify>,
}

/// Whom an event is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Signs of life: for those who miss them, and for who asked to know of every run.
    Signs,
    /// News: for people.
    News,
}

impl Routes {
    /// What holds for a task.
    pub fn of<'a>(&'a self, task: &'a Task) -> Option<&'a Notify> {
        let own = task.spec.notify.as_ref();
        own.or(self.everybody.as_ref())
            .filter(|notify| !notify.channels.is_empty())
    }

    /// The channels through which an event of a task goes.
    pub fn channels(&self, task: &Task, event: &Event, audience: Audience) -> Vec<Name> {
        let Some(notify) = self.of(task) else {
            return Vec::new();
        };
        let wants = |name: &&Name| {
            self.channels
                .get(*name)
                .is_some_and(|channel| wants(channel, notify, event.kind, audience))
        };
        notify.channels.iter().filter(wants).cloned().collect()
    }
}

fn wants(channel: &ChannelDef, notify: &Notify, kind: EventKind, audience: Audience) -> bool {
    if channel.is_dead_man() {
        return audience == Audience::Signs && ChannelDef::is_sign(kind);
    }
    let every_run = matches!(kind, EventKind::Started | EventKind::Succeeded);
    notify.on.contains(&kind) && (audience == Audience::News || every_run)
}

impl Tx<'_> {
    pub(super) fn routes(&mut self) -> Res<Arc<Routes>> {
        if let Some(routes) = &self.memory.routes {
            return Ok(Arc::clone(routes));
        }
        let mut routes = Routes {
            everybody: get(&*self.tables.definitions, (NOTIFY, ONLY))?,
            ..Routes::default()
        };
        for row in self
            .tables
            .definitions
            .range::<(&str, &str)>((CHANNEL, "")..)?
        {
            let (key, value) = row?;
            let (kind, name) = key.value();
            if kind != CHANNEL {
                break;
            }
            routes
                .channels
                .insert(parse_name(name)?, decode(value.value())?);
        }
        let routes = Arc::new(routes);
        self.memory.routes = Some(Arc::clone(&routes));
        Ok(routes)
    }
}
