//! Guests that were compiled against released versions of the contract must keep
//! running: promised to plugin authors.

#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use std::path::Path;
use std::process::Command;

/// Versions that were released; each has its guest beside its text.
const RELEASED: [&str; 1] = ["0.1.0"];

#[test]
fn guests_of_released_contracts_keep_running() {
    for version in RELEASED {
        let host = Path::new(env!("CARGO_MANIFEST_DIR"));
        let guest = host.join(format!("../wit/released/{version}/hello.wasm"));
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        std::fs::create_dir(&out).unwrap();
        let run = |args: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_mhost"));
            let output = command
                .args(args)
                .env("MHOST_HOME", folder.path().join("state"))
                .output()
                .unwrap();
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{version}: {args:?}: {told}");
        };
        run(&["plugin", "install", guest.to_str().unwrap()]);
        let dir = format!("out={}:rw", out.display());
        run(&[
            "exec",
            "hello",
            "greet",
            "--dir",
            &dir,
            "--set",
            "name=World",
        ]);
        assert_eq!(
            std::fs::read_to_string(out.join("hello.txt")).unwrap(),
            "Hello, World!\n"
        );
    }
}
