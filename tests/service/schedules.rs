//! `mhost schedule next` answers as the vectors say: the command itself, as other programs
//! ask it. That the library holds all of them is tested beside the library; here are some.

use std::process::Command;

use serde_json::Value;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/crates/sched/tests/vectors");
/// One of so many.
const STEP: usize = 25;

fn vectors(name: &str) -> String {
    let packed = std::fs::read(format!("{VECTORS}/{name}.zst")).unwrap();
    String::from_utf8(zstd::decode_all(packed.as_slice()).unwrap()).unwrap()
}

fn next(args: &[&str]) -> Vec<i64> {
    let output = Command::new(env!("CARGO_BIN_EXE_mhost"))
        .args(["schedule", "next", "--format", "json"])
        .args(args)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {told}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn rule_5_cron_expressions_on_the_command_line() {
    for name in ["cron_dst.jsonl", "cron_cal.jsonl"] {
        for line in vectors(name).lines().step_by(STEP) {
            let vector: Value = serde_json::from_str(line).unwrap();
            let text = |key: &str| vector[key].as_str().unwrap().to_owned();
            let second = |key: &str| vector[key].as_i64().unwrap().to_string();
            let (from, until) = (second("start"), second("end"));
            let (expr, tz) = (text("expr"), text("tz"));
            let args = [&expr, "--tz", &tz, "--from", &from, "--until", &until];
            let fires: Vec<i64> = serde_json::from_value(vector["fires"].clone()).unwrap();
            assert_eq!(next(&args), fires, "{line}");
        }
    }
}

#[test]
fn fields_on_the_command_line() {
    let vectors: Vec<Value> = serde_json::from_str(&vectors("fields_schedule.json")).unwrap();
    for vector in vectors.iter().step_by(STEP) {
        let keys = ["month", "day", "hour", "minute"].iter();
        let given = keys.filter(|key| vector[**key] != "*");
        let given: Vec<String> = given
            .map(|key| format!("{key} = {}", vector[*key].as_str().unwrap()))
            .collect();
        let expr = format!("{{ {} }}", given.join(", "));
        let minute = |key: &str| {
            let text = format!("{}:00Z", vector[key].as_str().unwrap());
            chrono::DateTime::parse_from_rfc3339(&text)
                .unwrap()
                .timestamp()
        };
        // Where the ancestor came to its dead end, mhost goes on.
        if vector["next_from_now"]
            .as_str()
            .unwrap()
            .starts_with("2500-12-31")
        {
            continue;
        }
        // The instant asked about counts too.
        let from = (minute("now") - 1).to_string();
        let fires = next(&[&expr, "--from", &from, "-n", "1"]);
        assert_eq!(fires, [minute("next_from_now")], "{vector}");
    }
}
