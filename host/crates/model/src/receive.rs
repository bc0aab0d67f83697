//! What another mhost may put into a task's queues over HTTP.

use serde::{Deserialize, Serialize};

use crate::grant::SecretSource;
use crate::units::ByteSize;

/// One queue of a task that takes items from outside: `[tasks.NAME.receive.QUEUE]`. Whoever
/// sends the token may add items to that queue, ask what became of them, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receiver {
    /// The directory that the queue lies in, as the task sees it: `/queues`, or a folder
    /// below a granted directory. The grant must be read-write.
    pub queues: String,
    /// The token of this one sender.
    pub token: SecretSource,
    /// No item is larger.
    #[serde(default = "max_item")]
    pub max_item: ByteSize,
    /// What waits and what is being received is never more in all.
    #[serde(default = "max_waiting")]
    pub max_waiting: ByteSize,
}

fn max_item() -> ByteSize {
    ByteSize(1 << 30)
}

fn max_waiting() -> ByteSize {
    ByteSize(10 << 30)
}

impl Receiver {
    /// The grant that the queues lie in, and the folders below it.
    pub fn place(&self) -> Option<(&str, &str)> {
        let inner = self.queues.strip_prefix('/')?;
        let (grant, rest) = inner.split_once('/').unwrap_or((inner, ""));
        let rest = rest.trim_end_matches('/');
        let bad = |name: &str| matches!(name, "" | "." | "..") || name.contains('\0');
        let leads = grant.is_empty() || (!rest.is_empty() && rest.split('/').any(bad));
        (!leads).then_some((grant, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_lie_below_a_grant() {
        for (queues, expected) in [
            ("/queues", Some(("queues", ""))),
            ("/queues/", Some(("queues", ""))),
            ("/data/in/queues", Some(("data", "in/queues"))),
            ("queues", None),
            ("/", None),
            ("", None),
            ("/data/../x", None),
            ("/data//x", None),
        ] {
            let receiver = Receiver {
                queues: queues.to_owned(),
                token: SecretSource::Env("X".to_owned()),
                max_item: max_item(),
                max_waiting: max_waiting(),
            };
            assert_eq!(receiver.place(), expected, "{queues}");
        }
    }
}
