//! The ports of a call that is granted nothing. The granter refuses before one of
//! these is asked.

use mhost_model::alert::Message;
use mhost_model::grant::SecretSource;
use mhost_model::ports::around::{Hold, Messenger, TaskState, Tasks};
use mhost_model::ports::database::{Database, Databases};
use mhost_model::ports::remote::{Remote, Remotes};
use mhost_model::ports::repository::{Repositories, Repository};
use mhost_model::ports::run::{
    FenceCheck, LogSink, ProgressSink, ProgressState, Secrets, StateReader, Watched,
};
use mhost_model::run::LogLine;
use mhost_model::schedule::Schedule;
use mhost_model::watch::Summary;
use mhost_model::{Fault, FaultResult, Instant, Name, Span};

pub(crate) struct Nothing;

fn nothing<T>() -> FaultResult<T> {
    Err(Fault::Unsupported(
        "a plugin that describes itself can reach nothing".into(),
    ))
}

impl Databases for Nothing {
    fn open(&self, _name: &Name) -> FaultResult<Box<dyn Database>> {
        nothing()
    }
}

impl Repositories for Nothing {
    fn open(&self, _name: &Name, _password: &str) -> FaultResult<Box<dyn Repository>> {
        nothing()
    }

    fn create(&self, _name: &Name, _password: &str) -> FaultResult<Box<dyn Repository>> {
        nothing()
    }
}

impl Remotes for Nothing {
    fn open(&self, _name: &Name) -> FaultResult<Box<dyn Remote>> {
        nothing()
    }
}

impl Secrets for Nothing {
    fn read(&self, _source: &SecretSource) -> FaultResult<String> {
        nothing()
    }
}

impl Tasks for Nothing {
    fn holders(&self, _targets: &[String]) -> FaultResult<Vec<Vec<Hold>>> {
        nothing()
    }

    fn status(&self, _task: &Name) -> FaultResult<TaskState> {
        nothing()
    }
}

impl Messenger for Nothing {
    fn send(&self, _channel: &Name, _message: Message) -> FaultResult<()> {
        nothing()
    }
}

impl StateReader for Nothing {
    fn get(&self, _key: &str) -> FaultResult<Option<Vec<u8>>> {
        nothing()
    }

    fn keys(&self, _after: Option<&str>, _limit: usize) -> FaultResult<Vec<String>> {
        nothing()
    }
}

impl Watched for Nothing {
    fn recall(&self, _subjects: &[String]) -> FaultResult<Vec<Option<Vec<u8>>>> {
        nothing()
    }

    fn summaries(&self) -> FaultResult<Vec<Summary>> {
        nothing()
    }

    fn in_window(&self, _: &Schedule, _: Span, _: Instant) -> FaultResult<Option<Instant>> {
        nothing()
    }
}

impl LogSink for Nothing {
    fn line(&self, _line: LogLine) {}
}

impl ProgressSink for Nothing {
    fn update(&self, _state: ProgressState) {}
}

impl FenceCheck for Nothing {
    fn current(&self) -> bool {
        true
    }
}
