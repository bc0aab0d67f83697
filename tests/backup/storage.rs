//! A live `Data.fs`: a ZODB in another process commits while it is backed up.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use mhost_test_support::{Tool, tools};

use crate::bench::{Bench, contents};

pub const ZODB: Tool = Tool::Python(&["ZODB"]);

/// Commits with a blob each time, in two steps: it holds a vote until it is told to
/// go on, so that an open transaction always stands at the file's end.
const WRITER: &str = r#"
import sys, transaction, ZODB, ZODB.FileStorage, ZODB.blob
from persistent.mapping import PersistentMapping
folder = sys.argv[1]
class Held(ZODB.FileStorage.FileStorage):
    def tpc_vote(self, t):
        answer = super().tpc_vote(t)
        self._file.flush()
        print("voted", flush=True)
        if sys.stdin.readline() == "":
            sys.exit()
        return answer
storage = Held(folder + "/filestorage/Data.fs", blob_dir=folder + "/blobstorage")
connection = ZODB.DB(storage).open()
n = 0
while True:
    n += 1
    connection.root()["k%d" % n] = blob = ZODB.blob.Blob()
    with blob.open("w") as file:
        file.write(b"blob %d" % n)
    connection.root()["pad%d" % n] = PersistentMapping({"pad": "x" * 5000, "n": n})
    transaction.commit()
"#;

/// Opens what was restored, and reads every blob; the count of blobs.
const READER: &str = r#"
import sys, ZODB, ZODB.FileStorage
folder = sys.argv[1]
storage = ZODB.FileStorage.FileStorage(folder + "/filestorage/Data.fs", blob_dir=folder + "/blobstorage", read_only=True)
root = ZODB.DB(storage).open().root()
blobs = [k for k in root if k.startswith("k")]
for k in blobs:
    assert root[k].open("r").read() == b"blob " + k[1:].encode(), k
print(len(blobs))
"#;

/// A writer that stands still whenever it is not told to go on.
pub struct Writer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Writer {
    /// Up to the vote on the first blob.
    pub fn start(folder: &Path) -> Self {
        fs::create_dir_all(folder.join("filestorage")).unwrap();
        let mut child = Command::new(tools::python_with(&["ZODB"]).unwrap())
            .args(["-W", "ignore", "-c", WRITER])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut writer = Self {
            child,
            input,
            output: BufReader::new(output),
        };
        writer.until_voted();
        // `ZODB.DB` made the root: a transaction too, and without a blob.
        writer.commit();
        writer
    }

    fn until_voted(&mut self) {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert_eq!(line, "voted\n");
    }

    /// Finishes the open transaction and votes on the next.
    pub fn commit(&mut self) {
        self.input.write_all(b"go\n").unwrap();
        self.until_voted();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Both fail where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How many blobs the restored storage knows; all must be there.
#[track_caller]
pub fn blobs(folder: &Path) -> usize {
    let output = Command::new(tools::python_with(&["ZODB"]).unwrap())
        .args(["-W", "ignore", "-c", READER])
        .arg(folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    said.trim()
        .parse()
        .unwrap_or_else(|_| panic!("{said}{complained}"))
}

/// The folder of blobs is read before the storage's own, by its name; still no blob is
/// missing and none is too much.
pub fn a_live_storage_and_its_blobs_fit() {
    let bench = Bench::new();
    let folder = bench.path("src");
    let mut writer = Writer::start(&folder);
    let mut sizes = Vec::new();
    for round in 0..3 {
        let before = size(&bench.path("repo"));
        for _ in 0..40 {
            writer.commit();
        }
        bench.backup(&["--set", r#"exclude=["*.lock","*.tmp"]"#]);
        sizes.push(size(&bench.path("repo")) - before);
        let restored = bench.restore(&[]).join("filestorage/Data.fs");
        let (restored, live) = (
            fs::read(restored).unwrap(),
            fs::read(folder.join("filestorage/Data.fs")).unwrap(),
        );
        // All is stored but the transaction that is voted and not finished.
        assert!(live.starts_with(&restored) && restored.len() < live.len());
        assert_eq!(live[restored.len() + 16], b'c');
        let back = bench.path("out").join(folder.strip_prefix("/").unwrap());
        assert_eq!(
            blob_files(&folder),
            40 * (round + 1) + 1,
            "the voted blob is there already"
        );
        assert_eq!(
            blob_files(&back),
            40 * (round + 1),
            "blobs of later transactions are left out"
        );
        assert_eq!(blobs(&back), 40 * (round + 1));
    }
    assert!(sizes[2] < sizes[0] * 2, "{sizes:?}");
}

/// How many files of blobs lie there, whether the storage knows them or not.
fn blob_files(folder: &Path) -> usize {
    contents(&folder.join("blobstorage"))
        .iter()
        .filter(|(path, _)| path.extension().is_some_and(|end| end == "blob"))
        .count()
}

fn size(folder: &Path) -> u64 {
    if !folder.exists() {
        return 0;
    }
    contents(folder)
        .iter()
        .map(|(_, content)| content.len() as u64)
        .sum()
}
