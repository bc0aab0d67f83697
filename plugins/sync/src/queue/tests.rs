//! Two ends in one temporary folder: `/east` and `/west`, each with queues, content and a
//! database. Whatever is cut off, doubled or turned round, both end equal.

mod crash;
mod faults;
mod kinds;
mod parts;
mod zope;

use std::fs;
use std::path::Path;

use mhost_sdk::testing::NativeHost;
use mhost_sdk::{Failure, Report};
use mhost_test_support::files;
use serde_json::{Value, json};

const T: u64 = 1_700_000_000_000;

fn host() -> NativeHost {
    let host = NativeHost::new()
        .with_directory("east")
        .with_directory("west");
    for folder in ["east/queues", "east/content", "west/queues", "west/content"] {
        fs::create_dir(host.path(&format!("/{folder}"))).unwrap();
    }
    run(
        &host,
        "create-queue",
        json!({ "queues": "/west/queues", "targets": ["east"] }),
    )
    .unwrap();
    run(
        &host,
        "create-queue",
        json!({ "queues": "/east/queues", "targets": ["west"] }),
    )
    .unwrap();
    host
}

fn run(host: &NativeHost, action: &str, config: Value) -> Result<Report, Failure> {
    host.run(&crate::plugin(), action, config)
}

fn export(host: &NativeHost) -> Result<Report, Failure> {
    export_with(host, json!({ "name": "west" }))
}

fn export_with(host: &NativeHost, target: Value) -> Result<Report, Failure> {
    let config = json!({
        "queues": "/east/queues", "source": "east", "targets": [target],
        "files": [{ "from": "/east/content" }],
    });
    run(host, "export", config)
}

fn transfer(host: &NativeHost) -> Result<Report, Failure> {
    let config = json!({
        "queues": "/east/queues",
        "targets": [{ "name": "west", "directory": "/west/queues/east" }],
    });
    run(host, "transfer", config)
}

fn import(host: &NativeHost, more: Value) -> Result<Report, Failure> {
    let mut config =
        json!({ "queues": "/west/queues", "importers": [{ "files": "/west/content" }] });
    config
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    run(host, "import", config)
}

/// All steps, until everything is acknowledged.
fn round(host: &NativeHost) {
    export(host).unwrap();
    transfer(host).unwrap();
    import(host, json!({})).unwrap();
    transfer(host).unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

/// Items of a state.
fn items(host: &NativeHost, folder: &str) -> Vec<String> {
    names(&host.path(folder))
}

fn equal(host: &NativeHost) {
    assert_eq!(
        files(&host.path("/east/content")),
        files(&host.path("/west/content"))
    );
}

const SENT: &str = "/east/queues/west/EXPORT";
const THERE: &str = "/west/queues/east/IMPORT";

#[test]
fn changes_reach_the_other_end_and_are_acknowledged() {
    let host = host();
    host.write_file("/east/content/a", "one", T);
    host.write_file("/east/content/d/b", "two", T);
    export(&host).unwrap();
    assert_eq!(items(&host, &format!("{SENT}/TO_PROCESS")).len(), 2);
    transfer(&host).unwrap();
    assert_eq!(
        items(&host, &format!("{SENT}/PROCESSING")).len(),
        2,
        "not done before it is applied"
    );
    import(&host, json!({})).unwrap();
    let report = transfer(&host).unwrap();
    assert_eq!(report.figure("items_acknowledged"), Some(2.0));
    assert_eq!(items(&host, &format!("{SENT}/DONE")).len(), 2);
    equal(&host);
    host.write_file("/east/content/a", "changed", T + 1000);
    fs::remove_file(host.path("/east/content/d/b")).unwrap();
    round(&host);
    equal(&host);
    let report = export(&host).unwrap();
    assert_eq!(report.figure("items_put"), Some(0.0));
}

#[test]
fn an_item_that_was_changed_on_the_way_is_an_error_and_can_be_sent_again() {
    let host = host();
    host.write_file("/east/content/a", "one", T);
    export(&host).unwrap();
    transfer(&host).unwrap();
    let name = items(&host, &format!("{THERE}/TO_PROCESS"))[0].clone();
    let path = host.path(&format!("{THERE}/TO_PROCESS/{name}"));
    let whole = fs::read(&path).unwrap();
    for broken in [
        whole[..whole.len() - 1].to_vec(),
        [&whole[..whole.len() - 1], b"X"].concat(),
        whole[..20].to_vec(),
    ] {
        fs::write(&path, broken).unwrap();
        let failure = import(&host, json!({})).unwrap_err();
        assert!(
            failure.message.contains("could not be applied"),
            "{failure:?}"
        );
        let reason = host.path(&format!("{THERE}/ERROR/{name}.reason"));
        assert!(
            fs::read_to_string(reason)
                .unwrap()
                .contains("no whole item")
        );
        assert!(!host.path("/west/content/a").exists());
        let failure = transfer(&host).unwrap_err();
        assert!(
            failure.message.contains("errors at the other end"),
            "{failure:?}"
        );
        assert_eq!(
            items(&host, &format!("{SENT}/ERROR")),
            [name.clone(), format!("{name}.reason")]
        );
        run(&host, "retry", json!({ "queues": "/east/queues" })).unwrap();
        transfer(&host).unwrap();
    }
    import(&host, json!({})).unwrap();
    transfer(&host).unwrap();
    equal(&host);
    assert_eq!(
        items(&host, &format!("{THERE}/ERROR")),
        Vec::<String>::new()
    );
}

#[test]
fn doubled_and_turned_round_changes_nothing() {
    let host = host();
    for (n, text) in ["one", "two", "three"].iter().enumerate() {
        host.write_file("/east/content/a", text, T + n as u64 * 1000);
        export(&host).unwrap();
    }
    let sent: Vec<(String, Vec<u8>)> = items(&host, &format!("{SENT}/TO_PROCESS"))
        .into_iter()
        .map(|name| {
            let content = fs::read(host.path(&format!("{SENT}/TO_PROCESS/{name}"))).unwrap();
            (name, content)
        })
        .collect();
    // The newest first, then all of them again and again.
    for order in [[2, 0, 1], [0, 1, 2], [1, 2, 0]] {
        for n in order {
            let (name, content) = &sent[n];
            fs::write(host.path(&format!("{THERE}/TO_PROCESS/{name}")), content).unwrap();
            import(&host, json!({})).unwrap();
            assert_eq!(fs::read(host.path("/west/content/a")).unwrap(), b"three");
        }
    }
    transfer(&host).unwrap();
    transfer(&host).unwrap();
    assert_eq!(items(&host, &format!("{SENT}/DONE")).len(), 3);
    equal(&host);
}

#[test]
fn a_target_that_is_down_waits_for_it() {
    let host = host();
    host.write_file("/east/content/a", "one", T);
    export(&host).unwrap();
    fs::rename(host.path("/west/queues"), host.path("/west/away")).unwrap();
    let failure = transfer(&host).unwrap_err();
    assert!(failure.retryable, "{failure:?}");
    host.write_file("/east/content/b", "two", T);
    export(&host).unwrap();
    fs::rename(host.path("/west/away"), host.path("/west/queues")).unwrap();
    round(&host);
    equal(&host);
}

#[test]
fn what_is_lost_at_the_other_end_is_sent_again() {
    let host = host();
    host.write_file("/east/content/a", "one", T);
    export(&host).unwrap();
    transfer(&host).unwrap();
    let name = items(&host, &format!("{THERE}/TO_PROCESS"))[0].clone();
    fs::remove_file(host.path(&format!("{THERE}/TO_PROCESS/{name}"))).unwrap();
    for _ in 0..2 {
        transfer(&host).unwrap();
    }
    import(&host, json!({})).unwrap();
    transfer(&host).unwrap();
    equal(&host);
}

#[test]
fn filters_choose_and_broken_ones_stop() {
    let host = host();
    host.write_file("/east/content/public/a", "one", T);
    host.write_file("/east/content/private/b", "two", T);
    let filter = |text: &str| json!({ "name": "west", "filter": text });
    let report = export_with(&host, filter("key.startsWith('public/')")).unwrap();
    assert_eq!(
        (report.figure("items_put"), report.figure("items_filtered")),
        (Some(1.0), Some(1.0))
    );
    for broken in ["key.startsWith('public/'", "nonesuch", "size"] {
        let failure = export_with(&host, filter(broken)).unwrap_err();
        assert!(failure.message.contains("the filter"), "{failure:?}");
    }
    assert_eq!(items(&host, &format!("{SENT}/TO_PROCESS")).len(), 1);
}

#[test]
fn an_empty_source_deletes_nothing_there() {
    let host = host();
    for n in 0..20 {
        host.write_file(&format!("/east/content/{n}"), "x", T);
    }
    round(&host);
    fs::rename(host.path("/east/content"), host.path("/east/away")).unwrap();
    fs::create_dir(host.path("/east/content")).unwrap();
    let failure = export(&host).unwrap_err();
    assert!(
        failure.message.contains("is the source mounted"),
        "{failure:?}"
    );
    assert_eq!(
        items(&host, &format!("{SENT}/TO_PROCESS")),
        Vec::<String>::new()
    );
}

#[test]
fn targets_have_a_pace_of_their_own() {
    let host = host();
    run(
        &host,
        "create-queue",
        json!({ "queues": "/east/queues", "targets": ["north"] }),
    )
    .unwrap();
    host.write_file("/east/content/a", "one", T);
    let config = json!({
        "queues": "/east/queues", "source": "east", "targets": [{ "name": "west" }, { "name": "north" }],
        "files": [{ "from": "/east/content" }],
    });
    run(&host, "export", config).unwrap();
    let config = json!({
        "queues": "/east/queues",
        "targets": [
            { "name": "north", "directory": "/west/nowhere" },
            { "name": "west", "directory": "/west/queues/east" },
        ],
    });
    let failure = run(&host, "transfer", config).unwrap_err();
    assert!(failure.message.contains("`north`"), "{failure:?}");
    import(&host, json!({})).unwrap();
    equal(&host);
    assert_eq!(
        items(&host, "/east/queues/north/EXPORT/TO_PROCESS").len(),
        1
    );
}

#[test]
fn containers_are_made_or_refused_and_keys_find_their_place() {
    let host = host();
    host.write_file("/east/content/news/a", "one", T);
    export(&host).unwrap();
    transfer(&host).unwrap();
    let failure = import(&host, json!({ "containers": "refuse" })).unwrap_err();
    assert!(
        failure.message.contains("could not be applied"),
        "{failure:?}"
    );
    run(&host, "retry", json!({ "queues": "/west/queues" })).unwrap();
    let localise = json!([{ "pattern": "news/*", "container": "their/news" }]);
    import(&host, json!({ "localise": localise })).unwrap();
    assert_eq!(
        fs::read(host.path("/west/content/their/news/a")).unwrap(),
        b"one"
    );
}

#[test]
fn the_importer_of_the_highest_priority_takes_it() {
    let host = host();
    fs::create_dir(host.path("/west/other")).unwrap();
    host.write_file("/east/content/special/a", "one", T);
    host.write_file("/east/content/b", "two", T);
    export(&host).unwrap();
    transfer(&host).unwrap();
    let importers = json!([
        { "files": "/west/content" },
        { "files": "/west/other", "prefix": "special/", "priority": 5 },
    ]);
    import(&host, json!({ "importers": importers })).unwrap();
    assert!(host.path("/west/other/special/a").exists());
    assert!(host.path("/west/content/b").exists());
    let importers = json!([{ "database": "none" }]);
    host.write_file("/east/content/c", "three", T);
    export(&host).unwrap();
    transfer(&host).unwrap();
    let failure = import(&host, json!({ "importers": importers })).unwrap_err();
    assert!(failure.partial.is_some(), "{failure:?}");
    let reason = items(&host, &format!("{THERE}/ERROR"));
    assert_eq!(reason.len(), 2);
}

#[test]
fn keys_lead_nowhere_else() {
    let host = host();
    host.write_file("/east/content/a", "one", T);
    export(&host).unwrap();
    let config = json!({
        "queues": "/east/queues", "source": "east", "targets": [{ "name": "west" }],
        "files": [{ "from": "/east/content", "prefix": "../../" }],
    });
    run(&host, "export", config).unwrap();
    transfer(&host).unwrap();
    let failure = import(&host, json!({})).unwrap_err();
    assert!(
        failure.message.contains("1 items could not be applied"),
        "{failure:?}"
    );
    for bad in ["../x", ".hidden", "a/b", ""] {
        let config = json!({ "queues": "/east/queues", "targets": [bad] });
        assert!(run(&host, "create-queue", config).is_err(), "{bad}");
    }
}

#[test]
fn status_says_how_deep_and_how_old() {
    let host = host();
    host.write_file("/east/content/a", "one", T);
    export(&host).unwrap();
    let status = |more: Value| {
        let mut config = json!({ "queues": "/east/queues" });
        config
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        run(&host, "status", config)
    };
    let report = status(json!({})).unwrap();
    assert_eq!(report.figure("items_waiting"), Some(1.0));
    host.set_now(1_772_323_200_000 + 90 * 60_000);
    let failure = status(json!({ "max_age_minutes": 60 })).unwrap_err();
    assert!(failure.message.contains("90 minutes"), "{failure:?}");
}

#[test]
fn what_is_done_goes_with_time() {
    let host = host();
    host.write_file("/east/content/a", "one", T);
    round(&host);
    assert_eq!(items(&host, &format!("{SENT}/DONE")).len(), 1);
    host.set_now(1_772_323_200_000 + 31 * 86_400_000);
    transfer(&host).unwrap();
    import(&host, json!({})).unwrap();
    assert_eq!(items(&host, &format!("{SENT}/DONE")).len(), 0);
    assert_eq!(items(&host, &format!("{THERE}/DONE")).len(), 0);
    host.write_file("/east/content/a", "two", T + 1000);
    round(&host);
    equal(&host);
}

#[test]
fn a_dry_run_changes_nothing() {
    let host = host();
    host.write_file("/east/content/a", "one", T);
    let config = json!({
        "queues": "/east/queues", "source": "east", "targets": [{ "name": "west" }],
        "files": [{ "from": "/east/content" }],
    });
    let report = host.dry_run(&crate::plugin(), "export", config).unwrap();
    assert_eq!(report.figure("items_put"), Some(1.0));
    assert_eq!(
        items(&host, &format!("{SENT}/TO_PROCESS")),
        Vec::<String>::new()
    );
}
