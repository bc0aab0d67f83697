//! Archives as messages through the host's channels.

use mhost_sdk::alerts::{Attachment, Message};
use mhost_sdk::files::{Metadata, split};
use mhost_sdk::units::human_bytes;
use mhost_sdk::{Error, Result};

use crate::ground::Ground;

/// The largest archive that a message takes, bytes: below the contract's 8 MiB there is
/// room for the rest of it.
const LARGEST: u64 = (8 << 20) - (64 << 10);

/// Sends an archive through a granted channel, as it is. The message is the host's once this
/// returns, so that the archive may go.
pub fn send(ground: &Ground<'_>, channel: &str, archive: &str) -> Result<()> {
    ground.say(&format!("mail: send `{archive}` through `{channel}`"));
    if ground.context.dry_run() {
        return Ok(());
    }
    let guest = ground.guest(archive);
    let found = ground.files().stat(&guest)?;
    if found.size > LARGEST {
        return Err(Error::Limit(format!(
            "it has {}, and a message takes {}: `compress` it, rotate sooner (`maxsize`), or grant a command \
             in the place of the channel",
            human_bytes(found.size),
            human_bytes(LARGEST)
        )));
    }
    let (_, name) = split(archive);
    let message = Message {
        subject: archive.to_owned(),
        text: format!(
            "The log archive {archive} of the task {}, {} as it lies there.",
            ground.context.task(),
            human_bytes(found.size)
        ),
        attachments: vec![Attachment {
            name: name.to_owned(),
            media_type: media_type(name).to_owned(),
            content: ground.files().read(&guest, LARGEST)?,
        }],
    };
    let alerts = ground.context.alerts();
    alerts.send(channel, &id(&found), &message)
}

/// The same in a run that is tried again, and no other archive's.
fn id(found: &Metadata) -> String {
    let at = found.modified;
    format!(
        "archive {:x} {:x} {}.{:09} {}",
        found.device, found.inode, at.seconds, at.nanoseconds, found.size
    )
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.') {
        Some((_, "gz")) => "application/gzip",
        Some((_, "zst")) => "application/zstd",
        Some((_, "xz")) => "application/x-xz",
        _ => "text/plain",
    }
}
