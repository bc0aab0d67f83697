//! A task that is at work on what a check looks at: the check is silent meanwhile, and
//! tells afterwards what is still wrong.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::{Value, json};

use super::home::{Home, findings};
use super::servers::{Bad, nobody, serve};

/// The keys of the alerts that stand.
fn standing(home: &Home) -> Vec<String> {
    let (_, alerts) = home.json(None, &["notify", "alerts"]);
    let alerts = alerts.as_array().unwrap().iter();
    let mut keys: Vec<_> = alerts
        .map(|one| one["key"].as_str().unwrap().to_owned())
        .collect();
    keys.sort();
    keys
}

/// The titles of all letters, oldest first.
fn letters(home: &Home) -> Vec<String> {
    let (_, letters) = home.json(None, &["notify", "list"]);
    let letters = letters.as_array().unwrap().iter().rev();
    letters
        .map(|one| one["event"]["title"].as_str().unwrap().to_owned())
        .collect()
}

fn check(home: &Home) -> (i32, Value) {
    let (code, run) = home.json(None, &["run", "watch"]);
    (code, findings(&run)["shop"].clone())
}

pub fn a_check_is_silent_while_a_pack_holds_its_target() {
    let home = Home::new();
    let zope = TcpListener::bind("127.0.0.1:0").unwrap();
    let manager = zope.local_addr().unwrap();
    let status = Arc::new(AtomicU16::new(503));
    let shop = serve(Bad::Status(Arc::clone(&status)));
    let nobody = nobody();
    home.write("login", "admin:secret\n");
    home.write(
        "mhost.toml",
        &format!(
            r#"
[channels.hook]
kind = "webhook"
url = "http://127.0.0.1:{nobody}/"

[notify]
channels = ["hook"]

[pools.checks]
size = 1

[tasks.pack-site]
plugin = "pack"
action = "pack"
schedule = "manual"
holds = ["shop"]
config = {{ target = {{ zope = "http://{manager}", database = "main", login_secret = "zope" }} }}
grants.net = ["http://{manager}"]
grants.secrets.zope = {{ file = "login" }}

[tasks.watch]
plugin = "ping"
action = "check"
schedule = "manual"
config = {{ targets = [{{ name = "shop", http = "http://127.0.0.1:{shop}/" }}] }}
grants.net = ["http://127.0.0.1:{shop}"]
policy.pool = "checks"
"#
        ),
    );
    let (code, told) = home.json(None, &["apply", "mhost.toml"]);
    assert_eq!(code, 0, "{told:#}");

    let mut pack = home.command(None, &["run", "pack-site"]).spawn().unwrap();
    // Its request is here, so its run is on.
    let (mut asked, _) = zope.accept().unwrap();
    let (code, found) = check(&home);
    assert_eq!((code, &found["state"]), (0, &json!("held")), "{found:#}");
    assert_eq!(found["note"], "`pack-site` is at work on it");
    assert_eq!(found["error"], "it answered 503, expected 2xx");
    assert_eq!(standing(&home), Vec::<String>::new());
    assert_eq!(letters(&home), Vec::<String>::new());

    let _ = asked.read(&mut [0; 4096]).unwrap();
    asked
        .write_all(b"HTTP/1.1 302 Found\r\nlocation: /?manage_tabs_message=Database+packed+to+0+days\r\ncontent-length: 0\r\n\r\n")
        .unwrap();
    assert!(pack.wait().unwrap().success());

    for _ in 0..2 {
        let (code, found) = check(&home);
        assert_eq!((code, &found["state"]), (1, &json!("down")), "{found:#}");
        assert_eq!(standing(&home), ["failed", "shop"]);
        assert_eq!(
            letters(&home),
            [
                "watch failed",
                "watch: shop: down: it answered 503, expected 2xx",
            ],
            "each is told once"
        );
    }

    status.store(200, Ordering::SeqCst);
    let (code, found) = check(&home);
    assert_eq!((code, &found["state"]), (0, &json!("up")), "{found:#}");
    assert_eq!(standing(&home), Vec::<String>::new());
    let letters = letters(&home);
    assert_eq!(letters.len(), 4, "{letters:#?}");
    assert_eq!(letters[3], "watch recovered: shop: up again");
}
