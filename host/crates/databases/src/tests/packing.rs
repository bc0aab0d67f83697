//! What becomes of the old file, what must stay free, and what is told meanwhile.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mhost_model::ByteSize;
use mhost_model::ports::database::{Around, KeepOld};
use mhost_model::resource::Engine;

use super::{BOTH, check_rows, fill, holey, open};
use crate::testing::names;

#[test]
fn two_packs_within_a_second_keep_two_old_files() {
    for engine in BOTH {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        holey(engine, &path);
        let keep = KeepOld::For(Duration::from_secs(86_400));
        let mut old = Vec::new();
        for _ in 0..2 {
            let before = path.metadata().unwrap().len();
            let mut db = open(engine, &path).unwrap();
            let packed = db.pack_keeping(keep, &crate::unattended()).unwrap();
            let kept = packed.old.unwrap();
            assert_eq!(kept.metadata().unwrap().len(), before, "{engine:?}");
            old.push(kept);
            drop(db);
            fill(engine, &path);
        }
        assert_ne!(old[0], old[1], "{engine:?}");
        for kept in old {
            check_rows(engine, &mut *open(engine, &kept).unwrap());
        }
    }
}

#[test]
fn a_pack_leaves_free_what_must_stay_so_and_tells_how_far_it_is() {
    for engine in BOTH {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        holey(engine, &path);
        let short = Around {
            keep_free: ByteSize(u64::MAX),
            ..crate::unattended()
        };
        let mut db = open(engine, &path).unwrap();
        let fault = db.pack_keeping(KeepOld::UntilNext, &short).unwrap_err();
        assert!(fault.to_string().contains("limits.free_space"), "{fault}");
        assert_eq!(names(dir.path()), ["db"]);
        let told = Arc::new(Mutex::new(Vec::new()));
        let noted = told.clone();
        let around = Around {
            progress: Arc::new(move |doing, done, total| {
                noted.lock().unwrap().push((doing.to_owned(), done, total));
            }),
            ..crate::unattended()
        };
        let size = path.metadata().unwrap().len();
        db.pack_keeping(KeepOld::UntilNext, &around).unwrap();
        let told = told.lock().unwrap();
        let mut steps: Vec<&str> = told.iter().map(|(doing, ..)| doing.as_str()).collect();
        steps.dedup();
        let (packing, checking) = match engine {
            Engine::Sqlite => ("packing", "checking the packed state of"),
            Engine::Redb => ("compacting a copy of", "checking the packed copy of"),
        };
        assert_eq!(steps, ["checking", "copying", packing, checking]);
        // Of each step, at its end, so many bytes as it has read or written.
        for step in steps {
            let last = told.iter().rfind(|(doing, ..)| doing == step);
            let (_, done, total) = last.unwrap();
            // SQLite has what it has just packed in its memory.
            let cached = step == "checking the packed state of";
            let least = if cached { 0 } else { size / 20 };
            assert!(*done > least, "{engine:?} {step}: {done} of {size}");
            assert!(
                total.is_none_or(|total| total >= *done),
                "{engine:?} {step}"
            );
            assert!(total.is_some() || step == "compacting a copy of", "{step}");
        }
    }
}
