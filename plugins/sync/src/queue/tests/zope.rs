//! Objects, against pages that answer as Zope's do.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::rc::Rc;

use super::run;
use mhost_sdk::http::{Request, Response};
use mhost_sdk::testing::NativeHost;
use serde_json::json;

/// Objects of the root by id, as their exports.
type Objects = Rc<RefCell<BTreeMap<String, Vec<u8>>>>;

fn respond(status: u16, body: impl Into<Vec<u8>>) -> Response {
    Response {
        status,
        body: body.into(),
        ..Response::default()
    }
}

/// One form value.
fn value(form: &str, key: &str) -> String {
    let pair = form
        .split('&')
        .find_map(|pair| pair.strip_prefix(&format!("{key}=")));
    pair.unwrap_or_default().to_owned()
}

fn answer(objects: &Objects, import: &std::path::Path, request: &Request) -> Response {
    let authorized = request
        .headers
        .iter()
        .any(|(name, value)| name == "authorization" && value == "Basic YWRtaW46c2VjcmV0");
    if !authorized {
        return respond(401, "");
    }
    let (_, rest) = request.url.split_once("://").unwrap();
    let (_, path) = rest.split_once('/').unwrap();
    let form = String::from_utf8_lossy(&request.body).into_owned();
    let mut objects = objects.borrow_mut();
    match path.split('?').next().unwrap() {
        "manage_exportObject" => {
            let id = value(path.split_once('?').unwrap().1, "id");
            objects
                .get(&id)
                .map_or(respond(404, ""), |found| respond(200, found.clone()))
        }
        "manage_delObjects" => {
            objects.remove(&value(&form, "ids:list"));
            respond(302, "")
        }
        "manage_renameObject" => {
            if let Some(found) = objects.remove(&value(&form, "id")) {
                objects.insert(value(&form, "new_id"), found);
            }
            respond(302, "")
        }
        "manage_importObject" => {
            let content = fs::read(import.join(value(&form, "file"))).unwrap();
            // As in this test's exports, the id follows the mark.
            if !content.starts_with(b"ZEXP doc") || objects.contains_key("doc") {
                return respond(400, "");
            }
            objects.insert("doc".to_owned(), content);
            respond(200, "")
        }
        path => match path.strip_suffix("/absolute_url_path") {
            Some(id) if objects.contains_key(id) => respond(200, format!("/{id}")),
            _ => respond(404, ""),
        },
    }
}

fn host() -> (NativeHost, Objects, Objects) {
    let (here, there) = (Objects::default(), Objects::default());
    let import = Rc::new(RefCell::new(std::path::PathBuf::new()));
    let (east, west, folder) = (Rc::clone(&here), Rc::clone(&there), Rc::clone(&import));
    let host = NativeHost::new()
        .with_directory("east")
        .with_directory("west")
        .with_directory("zope")
        .with_secret("zope", "admin:secret")
        .with_http(move |request| {
            let objects = if request.url.contains("east") {
                &east
            } else {
                &west
            };
            Ok(answer(objects, &folder.borrow(), request))
        });
    import.replace(host.path("/zope"));
    run(
        &host,
        "create-queue",
        json!({ "queues": "/west", "targets": ["east"] }),
    )
    .unwrap();
    (host, here, there)
}

fn round(host: &NativeHost) -> Result<mhost_sdk::Report, mhost_sdk::Failure> {
    let export = json!({
        "queues": "/east", "source": "east", "targets": [{ "name": "west" }],
        "objects": [{ "zope": "http://east:8080", "secret": "zope", "paths": ["/doc"] }],
        "max_delete_percent": 100,
    });
    run(host, "export", export)?;
    let way = json!({ "name": "west", "directory": "/west/east" });
    let transfer = json!({ "queues": "/east", "targets": [way] });
    run(host, "transfer", transfer.clone())?;
    let zope = json!({ "url": "http://west:8080/", "secret": "zope", "import": "/zope" });
    let import = json!({ "queues": "/west", "importers": [{ "zope": zope }] });
    let report = run(host, "import", import);
    let heard = run(host, "transfer", transfer);
    report.and_then(|report| heard.map(|_| report))
}

#[test]
fn an_object_follows() {
    let (host, here, there) = host();
    here.borrow_mut()
        .insert("doc".to_owned(), b"ZEXP doc one".to_vec());
    round(&host).unwrap();
    assert_eq!(*there.borrow(), *here.borrow());
    here.borrow_mut()
        .insert("doc".to_owned(), b"ZEXP doc two".to_vec());
    round(&host).unwrap();
    assert_eq!(*there.borrow(), *here.borrow());
    assert_eq!(fs::read_dir(host.path("/zope")).unwrap().count(), 0);
    let report = round(&host).unwrap();
    assert_eq!(report.figure("items_applied"), Some(0.0));
}

#[test]
fn an_import_that_fails_leaves_the_old_object() {
    let (host, here, there) = host();
    here.borrow_mut()
        .insert("doc".to_owned(), b"ZEXP doc one".to_vec());
    round(&host).unwrap();
    here.borrow_mut()
        .insert("doc".to_owned(), b"ZEXP broken".to_vec());
    let failure = round(&host).unwrap_err();
    assert!(
        failure.message.contains("could not be applied"),
        "{failure:?}"
    );
    assert_eq!(there.borrow()["doc"], b"ZEXP doc one");
    assert_eq!(there.borrow().len(), 1);
}
