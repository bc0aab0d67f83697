//! A server that answers as Zope does, and otherwise.

use mhost_sdk::http::Response;
use mhost_sdk::testing::NativeHost;
use serde_json::{Value, json};

use crate::plugin;

fn config() -> Value {
    json!({
        "target": { "zope": "http://127.0.0.1:8080/", "database": "main", "login_secret": "zope" },
        "before": "7 days",
    })
}

fn answering(status: u16, location: &str) -> NativeHost {
    let location = location.to_owned();
    NativeHost::new()
        .with_secret("zope", "admin:secret\n")
        .with_http(move |request| {
            assert_eq!(request.method, "POST");
            // In the address: a body that is lost on the way would ask for 0 days.
            assert_eq!(
                request.url,
                "http://127.0.0.1:8080/Control_Panel/Database/main/manage_pack?days:float=7"
            );
            assert!(request.body.is_empty());
            let length = ("content-length".to_owned(), "0".to_owned());
            assert!(request.headers.contains(&length));
            let login = (
                "authorization".to_owned(),
                "Basic YWRtaW46c2VjcmV0".to_owned(),
            );
            assert!(request.headers.contains(&login));
            let headers = match location.is_empty() {
                true => Vec::new(),
                false => vec![("Location".to_owned(), location.clone())],
            };
            Ok(Response {
                status,
                headers,
                ..Response::default()
            })
        })
}

#[test]
fn the_address_tells_what_came_of_it() {
    const PANEL: &str =
        "http://127.0.0.1:8080/Control_Panel/Database/main/manage_main?manage_tabs_message=";
    for said in [
        "Database packed to 7.0 days",
        "Database%20packed%20to%207.0%20days",
        "Database+packed+to+7.0+days",
    ] {
        let host = answering(302, &format!("{PANEL}{said}"));
        let report = host.run(&plugin(), "pack", config()).unwrap();
        assert_eq!(
            report.details.unwrap()["server_said"],
            "Database packed to 7.0 days"
        );
    }
    for (status, location, named) in [
        (
            302,
            format!("{PANEL}Invalid%20days%20value%20x"),
            "Invalid days value x",
        ),
        (302, "http://127.0.0.1:8080/login".to_owned(), "login"),
        // A login page that is told where the browser came from.
        (
            302,
            format!("http://127.0.0.1:8080/login?came_from={PANEL}Database+packed+to+7.0+days"),
            "as a login page",
        ),
        (
            302,
            format!("{PANEL}Error:+Database+packed+to+nowhere"),
            "was not packed",
        ),
        (
            302,
            format!("{PANEL}Database+packed+to+nowhere"),
            "was not packed",
        ),
        (
            302,
            format!("{PANEL}Database+packed+to+0+days"),
            "was packed to 0 days and not to 7 as asked",
        ),
        (401, String::new(), "role Manager"),
        (404, String::new(), "no such database"),
        (200, String::new(), "answered 200"),
        (503, String::new(), "answered 503"),
    ] {
        let failure = answering(status, &location)
            .run(&plugin(), "pack", config())
            .unwrap_err();
        assert!(failure.message.contains(named), "{}", failure.message);
        assert_eq!(failure.retryable, status == 503);
    }
}

#[test]
fn a_dry_run_asks_nothing() {
    let host = NativeHost::new().with_http(|_| panic!("a request"));
    let report = host.dry_run(&plugin(), "pack", config()).unwrap();
    assert!(report.summary.contains("would ask"), "{}", report.summary);
}

#[test]
fn a_server_needs_a_login_and_is_only_asked_to_pack() {
    let host = answering(302, "");
    let mut without = config();
    without["target"]
        .as_object_mut()
        .unwrap()
        .remove("login_secret");
    let failure = host.run(&plugin(), "pack", without).unwrap_err();
    assert!(
        failure.message.contains("login_secret"),
        "{}",
        failure.message
    );
    for action in ["verify", "inspect"] {
        let config = json!({ "target": config()["target"] });
        let failure = host.run(&plugin(), action, config).unwrap_err();
        assert!(
            failure.message.contains("only `pack`"),
            "{}",
            failure.message
        );
    }
}
