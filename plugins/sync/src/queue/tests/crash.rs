//! Cut off between any two steps, at either end.

use std::fs;

use super::{SENT, T, THERE, equal, export, host, import, items, round, run, transfer};
use mhost_sdk::testing::NativeHost;
use serde_json::json;

fn prepared() -> NativeHost {
    let host = host();
    host.write_file("/east/content/stays", "same", T);
    host.write_file("/east/content/a", "old", T);
    host.write_file("/east/content/gone", "gone", T);
    round(&host);
    host.write_file("/east/content/a", "new", T + 1000);
    host.write_file("/east/content/d/b", "two", T);
    fs::remove_file(host.path("/east/content/gone")).unwrap();
    host
}

/// One action that may be cut off.
type Action = fn(&NativeHost) -> bool;

/// Each with the changes that three items need at least: to be written aside and put in
/// place, after the numbers are taken and before it is noted what is known; to be copied
/// aside, put in place and shifted; to be shifted, applied, noted and shifted again; and
/// one rename for each that is acknowledged.
fn steps() -> [(&'static str, Action, u32); 4] {
    [
        ("export", |host| export(host).is_ok(), 3 * 2 + 2),
        ("transfer", |host| transfer(host).is_ok(), 3 * 3),
        ("import", |host| import(host, json!({})).is_ok(), 3 * 4),
        ("acknowledge", |host| transfer(host).is_ok(), 3),
    ]
}

#[test]
fn every_change_may_be_the_last() {
    for at in 0..4 {
        let mut n = 0;
        loop {
            let mut reached = false;
            // Every change is cut off once before it, and once after it.
            for happens in [false, true] {
                let host = prepared();
                for (_, action, _) in &steps()[..at] {
                    assert!(action(&host));
                }
                host.crash().at(n, happens);
                let (name, action, _) = steps()[at];
                reached |= !action(&host);
                host.crash().never();
                // Whatever was made an error by the crash is tried again.
                run(&host, "retry", json!({ "queues": "/east/queues" })).unwrap();
                run(&host, "retry", json!({ "queues": "/west/queues" })).unwrap();
                for _ in 0..2 {
                    round(&host);
                }
                equal(&host);
                for state in ["TO_PROCESS", "PROCESSING", "ERROR"] {
                    for end in [SENT, THERE] {
                        let left = items(&host, &format!("{end}/{state}"));
                        assert!(
                            left.is_empty(),
                            "{name} cut off at {n}: {end}/{state} has {left:?}"
                        );
                    }
                }
            }
            if !reached {
                break;
            }
            n += 1;
        }
        let (name, _, least) = steps()[at];
        assert!(n >= least, "{name}: {n} changes are too few to be true");
    }
}

#[test]
fn half_an_item_is_never_seen() {
    let host = prepared();
    export(&host).unwrap();
    let name = items(&host, &format!("{SENT}/TO_PROCESS"))[0].clone();
    let whole = fs::read(host.path(&format!("{SENT}/TO_PROCESS/{name}"))).unwrap();
    let half = host.path(&format!("{THERE}/TO_PROCESS/.new-{name}"));
    fs::write(half, &whole[..whole.len() / 2]).unwrap();
    import(&host, json!({})).unwrap();
    assert!(items(&host, &format!("{THERE}/ERROR")).is_empty());
    round(&host);
    equal(&host);
}
