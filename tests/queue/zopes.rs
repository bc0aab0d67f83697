//! Two live Zopes: objects of the one come to the other.

use mhost_test_support::servers::Zope;
use serde_json::{Value, json};

use super::ends::{Ends, figure, report};
use super::receiver::ask;

/// `admin:secret`
const LOGIN: (&str, &str) = ("authorization", "Basic YWRtaW46c2VjcmV0");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

struct Place {
    zope: Zope,
}

impl Place {
    #[track_caller]
    fn post(&self, path: &str, form: &str) {
        let (status, said) = ask(
            self.zope.port,
            "POST",
            path,
            &[LOGIN, FORM],
            form.as_bytes(),
        );
        assert!(status < 400 && status > 0, "{path}: {status} {said}");
    }

    fn get(&self, path: &str) -> (u16, String) {
        ask(self.zope.port, "GET", path, &[LOGIN], b"")
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.zope.port)
    }
}

pub fn moves() {
    let ends = Ends::new();
    let start = |name: &str| Place {
        zope: Zope::start(&ends.path(name)).unwrap(),
    };
    let (east, west) = (start("zope-east"), start("zope-west"));
    for place in [&east, &west] {
        place.post("/manage_addFolder", "id=news");
    }
    for id in ["doc", "other"] {
        let form = format!("id={id}&title=&file=the+first+{id}");
        east.post("/news/manage_addProduct/OFSP/manage_addDTMLDocument", &form);
    }
    let paths = json!(["/news/doc", "/news/other"]);
    let round = |paths: &Value| round(&ends, &east, &west, paths);
    assert_eq!(round(&paths), (2, 2));
    assert!(west.get("/news/doc").1.contains("the first doc"));
    assert!(west.get("/news/other").1.contains("the first other"));
    assert_eq!(round(&paths), (0, 0), "nothing changed");
    east.post("/news/doc/manage_edit", "title=&data=the+second+doc");
    assert_eq!(round(&paths), (1, 1));
    assert!(west.get("/news/doc").1.contains("the second doc"));
    assert_eq!(
        west.get("/news/doc.mhost-old/absolute_url_path").0,
        404,
        "the old one is gone"
    );
    // Moved: it is gone here, and gone there.
    east.post("/news/manage_delObjects", "ids:list=other");
    assert_eq!(round(&paths), (0, 1));
    assert_eq!(west.get("/news/other").0, 404);
    assert!(west.get("/news/doc").1.contains("the second doc"));
}

/// From one Zope to the other: the items that were put, and those that were applied.
fn round(ends: &Ends, east: &Place, west: &Place, paths: &Value) -> (u64, u64) {
    let login = |command: &mut std::process::Command, place: &Place| {
        command
            .args(["--net", &place.url(), "--secret", "zope=env:ZOPE"])
            .env("ZOPE", "admin:secret");
    };
    let objects = json!([{ "zope": east.url(), "secret": "zope", "paths": paths }]);
    let config = json!({
        "queues": "/east/queues", "source": "east", "targets": [{ "name": "west" }], "objects": objects,
    });
    let mut export = ends.command("export", &["east"], &config);
    login(&mut export, east);
    let put = figure(&report(&export.output().unwrap(), 0), "items_put");
    report(&ends.transfer_command().output().unwrap(), 0);
    let zope = json!({ "url": west.url(), "secret": "zope", "import": "/zope/import" });
    let config = json!({ "queues": "/west/queues", "importers": [{ "zope": zope }] });
    let mut import = ends.command("import", &["west"], &config);
    let grant = format!("zope={}:rw", west.zope.instance.display());
    import.args(["--dir", &grant]);
    login(&mut import, west);
    let applied = figure(&report(&import.output().unwrap(), 0), "items_applied");
    report(&ends.transfer_command().output().unwrap(), 0);
    (put, applied)
}
