//! A disk at the target that is full for a while: first where items arrive, then where they
//! are applied.

use mhost_test_support::{Mount, noise, scratch};

use super::ends::{Ends, hidden, report, told};
use super::receiver::{Receiver, TOKEN, transfer, transfer_command};

/// Mebibytes: runs leave 64 free.
pub const SIZE: u32 = 160;

pub fn full(disk: Mount) {
    let ends = Ends::with_west(scratch("queue-disk"), disk.path().join("west"));
    ends.write("large", &noise(3 << 20, 1), 0);
    ends.write("small", b"small", 1);
    ends.export();
    disk.fill();
    let output = ends.transfer_command().output().unwrap();
    assert_ne!(output.status.code(), Some(0), "{}", told(&output));
    assert_eq!(ends.there("TO_PROCESS"), Vec::<String>::new());
    assert_eq!(ends.sent("TO_PROCESS").len(), 2);
    let west = Receiver::start(&ends, "");
    let output = transfer_command(&ends, west.port, TOKEN).output().unwrap();
    assert_ne!(output.status.code(), Some(0), "{}", told(&output));
    assert!(
        told(&output).contains("the disk of the queue"),
        "{}",
        told(&output)
    );
    assert_eq!(ends.there("TO_PROCESS"), Vec::<String>::new());
    disk.empty();
    transfer(&ends, west.port, 0);
    assert_eq!(ends.there("TO_PROCESS").len(), 2);
    drop(west);
    disk.fill();
    let output = ends.import_command().output().unwrap();
    assert_ne!(output.status.code(), Some(0), "{}", told(&output));
    assert!(!ends.west("content/large").exists());
    assert_eq!(hidden(&ends.west("content")), Vec::<String>::new());
    assert_eq!(ends.there("ERROR"), Vec::<String>::new(), "it waits");
    disk.empty();
    report(&ends.import_command().output().unwrap(), 0);
    report(&ends.transfer_command().output().unwrap(), 0);
    ends.settled();
}
