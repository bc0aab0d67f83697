//! cron's way: a process for each fire.

use std::process::{Command, Stdio};

use super::measure::{Stretch, rate};

const FIRES: u64 = 3_000;

pub fn run() {
    let stretch = Stretch::begin();
    for _ in 0..FIRES {
        let status = Command::new("true")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status();
        assert!(status.unwrap().success());
    }
    println!("fork and exec of `true`: {}", rate(FIRES, stretch.end()));
}
