//! A kind that another plugin adds, from its files here to its own task there.

use std::fs;

use mhost_sdk::testing::NativeHost;
use mhost_sdk::{Action, Capability, Context, Error, Failure, Plugin, Report, queue};
use serde::Deserialize;
use serde_json::json;

use super::{SENT, T, THERE, host, items, run};

/// The other plugin: it writes what it is handed into one file, and refuses what is empty.
fn mails() -> Plugin {
    let action = Action::new("deliver", "Delivers what arrived", deliver);
    Plugin::new("mails", "0.0.1", "Mails that come by a queue").action(action.requires(
        Capability::Directories,
        mhost_sdk::Access::Changes,
        "works off its queue",
    ))
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Deliver {
    queue: String,
    to: String,
}

fn deliver(context: &Context<'_>, config: Deliver) -> Result<Report, Failure> {
    queue::work_off(context, &config.queue, |item| {
        let header = &item.opened.header;
        let payload = item.payload(context, 1 << 20)?;
        if payload.is_empty() && !header.kind.deletes {
            return Err(Error::Invalid("an empty mail".to_owned()));
        }
        let path = format!("{}/{}", config.to, header.key.replace('/', "-"));
        if header.kind.deletes {
            context.files().remove_file(&path)?;
            return Ok(true);
        }
        context.files().create(&path, &payload)?;
        Ok(true)
    })?
    .conclude()
}

fn round(host: &NativeHost) -> Result<Report, Failure> {
    let files = json!([{ "from": "/east/outbox", "kind": "mail" }, { "from": "/east/content" }]);
    let config = json!({
        "queues": "/east/queues", "source": "east", "targets": [{ "name": "west" }], "files": files,
        "max_delete_percent": 100,
    });
    run(host, "export", config)?;
    super::transfer(host)?;
    import(host)
}

fn import(host: &NativeHost) -> Result<Report, Failure> {
    let importers = json!([
        { "files": "/west/content" },
        { "queue": "/west/handlers/mail", "kinds": ["mail"] },
    ]);
    run(
        host,
        "import",
        json!({ "queues": "/west/queues", "importers": importers }),
    )
}

fn delivered(host: &NativeHost) -> Result<Report, Failure> {
    let config = json!({ "queue": "/west/handlers/mail", "to": "/west/mails" });
    host.run(&mails(), "deliver", config)
}

#[test]
fn another_plugin_applies_its_own_kind() {
    let host = host();
    for folder in ["/east/outbox", "/west/mails", "/west/handlers"] {
        fs::create_dir(host.path(folder)).unwrap();
    }
    let handlers = json!({ "queues": "/west/handlers", "targets": ["mail"] });
    run(&host, "create-queue", handlers).unwrap();
    host.write_file("/east/outbox/in/one", "dear reader", T);
    host.write_file("/east/outbox/empty", "", T);
    host.write_file("/east/content/a", "a file", T);
    let report = round(&host).unwrap();
    assert_eq!(report.figure("items_handed_on"), Some(2.0));
    assert_eq!(report.figure("items_applied"), Some(1.0));
    assert_eq!(items(&host, &format!("{THERE}/PROCESSING")).len(), 2);
    // Nothing is done before it is done there, however often it is looked at.
    import(&host).unwrap();
    super::transfer(&host).unwrap();
    assert_eq!(items(&host, &format!("{SENT}/DONE")).len(), 1);
    let failure = delivered(&host).unwrap_err();
    assert!(failure.message.contains("1 items"), "{failure:?}");
    assert_eq!(
        fs::read(host.path("/west/mails/in-one")).unwrap(),
        b"dear reader"
    );
    let failure = import(&host).unwrap_err();
    assert!(
        failure.message.contains("could not be applied"),
        "{failure:?}"
    );
    super::transfer(&host).unwrap_err();
    assert_eq!(items(&host, &format!("{SENT}/DONE")).len(), 2);
    let errors = items(&host, &format!("{SENT}/ERROR"));
    let reason = fs::read_to_string(host.path(&format!("{SENT}/ERROR/{}", errors[1])));
    assert_eq!(reason.unwrap(), "an empty mail");
    // It is tried again there once it is tried again here.
    run(&host, "retry", json!({ "queues": "/east/queues" })).unwrap();
    super::transfer(&host).unwrap();
    import(&host).unwrap();
    delivered(&host).unwrap_err();
    fs::remove_file(host.path("/east/outbox/in/one")).unwrap();
    round(&host).unwrap_err();
    delivered(&host).unwrap();
    import(&host).unwrap();
    assert!(
        !host.path("/west/mails/in-one").exists(),
        "it was deleted there"
    );
}

#[test]
fn a_kind_that_nobody_takes_says_so() {
    let host = host();
    fs::create_dir(host.path("/east/outbox")).unwrap();
    host.write_file("/east/outbox/one", "x", T);
    let files = json!([{ "from": "/east/outbox", "kind": "mail" }]);
    let config = json!({
        "queues": "/east/queues", "source": "east", "targets": [{ "name": "west" }], "files": files,
    });
    run(&host, "export", config).unwrap();
    super::transfer(&host).unwrap();
    super::import(&host, json!({})).unwrap_err();
    let errors = items(&host, &format!("{THERE}/ERROR"));
    let reason = fs::read_to_string(host.path(&format!("{THERE}/ERROR/{}", errors[1])));
    assert!(reason.unwrap().contains("no importer takes `put-mail`"));
    for bad in ["Mail", "record", "object", ""] {
        let files = json!([{ "from": "/east/outbox", "kind": bad }]);
        let config = json!({
            "queues": "/east/queues", "source": "east", "targets": [{ "name": "west" }], "files": files,
        });
        assert!(run(&host, "export", config).is_err(), "{bad}");
    }
    for importer in [
        json!({ "queue": "/west/handlers/mail" }),
        json!({ "queue": "/west/handlers/mail", "kinds": ["No"] }),
        json!({ "files": "/west/content", "kinds": ["mail"] }),
    ] {
        let config = json!({ "queues": "/west/queues", "importers": [importer] });
        assert!(run(&host, "import", config).is_err());
    }
}
