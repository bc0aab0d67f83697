//! The oracle of a live storage (`oracles/filestorage/oracle_backup.py`): a ZODB commits all
//! the time, in another process and at its own pace, while it is backed up and restored.

use std::process::Command;

use mhost_test_support::place::workspace_root;

use crate::bench::{Bench, PASSWORD};
use crate::storage::ZODB;

/// Every round restores a beginning of the file that is whole, at least up to what was
/// committed before; adds little to the repository; and after a pack the file is exact.
pub fn the_oracle_of_a_live_storage_agrees() {
    let bench = Bench::new();
    let made = script("gen_big.py")
        .arg(bench.path("src"))
        .args(["--mb", "20"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let work = bench.path("work");
    let at = work.display();
    let mhost = format!("{} exec backup", env!("CARGO_BIN_EXE_mhost"));
    let backup = format!(
        r#"{mhost} backup --dir src={at}:ro --repo main={{repo}}:append,read --secret repo=env:PW --set 'sources=["/src/Data.fs"]'"#
    );
    // What is restored comes to lie below its own path.
    let restore = format!(
        "rm -rf {at}/back && mkdir {at}/back && {mhost} restore --dir out={at}/back:rw --repo main={{repo}}:read \
         --secret repo=env:PW --set to=/out && mv {at}/back{at}/Data.fs {{out}}"
    );
    let judged = script("oracle_backup.py")
        .arg(bench.path("src/big.fs"))
        .args(["--backup", &backup, "--restore", &restore])
        .args(["--pack-between", "--expect-incremental"])
        .arg("--work")
        .arg(&work)
        .env("PW", PASSWORD)
        .env("MHOST_HOME", bench.path("home"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&judged.stdout);
    assert!(
        judged.status.success() && said.contains("PASS oracle_backup: 0 failure(s)"),
        "{said}{}",
        String::from_utf8_lossy(&judged.stderr)
    );
}

fn script(name: &str) -> Command {
    let folder = workspace_root().join("tests/oracles/filestorage");
    let mut command = Command::new(ZODB.path().unwrap());
    command
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(folder.join(name));
    command
}
