//! Any two trees end equal, and a second run finds nothing to do.

use super::{T, assert_equal, figure, host, mirror};
use mhost_sdk::testing::NativeHost;
use proptest::prelude::*;
use serde_json::json;

/// A thing at one of a few paths, so that kinds and names collide often.
#[derive(Debug, Clone)]
struct Thing {
    path: Vec<u8>,
    kind: u8,
    content: u8,
}

fn things() -> impl Strategy<Value = Vec<Thing>> {
    let thing = (prop::collection::vec(0u8..3, 1..4), 0u8..3, 0u8..3);
    prop::collection::vec(
        thing.prop_map(|(path, kind, content)| Thing {
            path,
            kind,
            content,
        }),
        0..12,
    )
}

/// Makes those that can be made where they stand.
fn make(host: &NativeHost, side: &str, things: &[Thing]) {
    for thing in things {
        let names: Vec<String> = thing
            .path
            .iter()
            .map(|n| ["a", "b", "a b.c"][usize::from(*n)].to_owned())
            .collect();
        let guest = format!("/{side}/{}", names.join("/"));
        let path = host.path(&guest);
        let parent = path.parent().unwrap();
        if std::fs::create_dir_all(parent).is_err() || std::fs::symlink_metadata(&path).is_ok() {
            continue;
        }
        match thing.kind {
            0 => std::fs::create_dir(path).unwrap(),
            1 => std::os::unix::fs::symlink(format!("t{}", thing.content), path).unwrap(),
            _ => host.write_file(
                &guest,
                [thing.content; 3],
                T + u64::from(thing.content) * 1000,
            ),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn two_trees_end_equal(source in things(), target in things()) {
        let host = host();
        make(&host, "a", &source);
        make(&host, "b", &target);
        // The brake is for people, not for this.
        host.write_file("/a/always", "here", T);
        let config = json!({ "delete": true, "max_delete_percent": 100 });
        mirror(&host, config.clone()).unwrap();
        assert_equal(&host);
        let again = mirror(&host, config).unwrap();
        prop_assert_eq!(figure(&again, "files_copied") + figure(&again, "files_deleted") + figure(&again, "dirs_created"), 0);
    }
}
