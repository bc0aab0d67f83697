//! What the tests of both engines share: values, files, and tests that run
//! themselves again as another process.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use mhost_model::ports::database::{Database, Page, Row, Transaction, Value};

/// Tells a test that it runs as the other process, and what to do there.
const ROLE: &str = "MHOST_TEST_ROLE";
const PATH: &str = "MHOST_TEST_PATH";

/// In the other process: the role and the path that it was given.
pub(crate) fn role() -> Option<(String, PathBuf)> {
    let role = std::env::var(ROLE).ok()?;
    Some((role, std::env::var_os(PATH)?.into()))
}

/// Another process that runs the calling test.
pub(crate) struct Other {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Other {
    /// Runs the test of this full name in the role.
    pub fn start(test: &str, role: &str, path: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(PATH, path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// Like [`Self::start`], and waits until it says that it is ready.
    pub fn ready(test: &str, role: &str, path: &Path) -> Self {
        let mut this = Self::start(test, role, path);
        let mut line = String::new();
        while !line.trim_end().ends_with("ready") {
            line.clear();
            let read = this.output.read_line(&mut line).unwrap();
            assert!(read > 0, "the other process ended before it was ready");
        }
        this
    }

    /// Lets it end, and answers whether it was killed.
    pub fn finish(mut self) -> bool {
        drop(self.child.stdin.take());
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        let status = self.child.wait().unwrap();
        let killed = std::os::unix::process::ExitStatusExt::signal(&status).is_some();
        assert!(
            killed || status.success(),
            "the other process failed: {rest}"
        );
        killed
    }

    /// Kills it.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// In the other process: says that it is ready, and waits for the end.
pub(crate) fn ready_and_wait() {
    say_ready();
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

/// In the other process: says that it is ready.
pub(crate) fn say_ready() {
    println!("ready");
    std::io::stdout().flush().unwrap();
}

/// Ends this process as a crash does.
pub(crate) fn crash() -> ! {
    let me = rustix::process::getpid();
    rustix::process::kill_process(me, rustix::process::Signal::KILL).unwrap();
    unreachable!("killed")
}

pub(crate) fn int(number: i64) -> Vec<Value> {
    vec![Value::Integer(number)]
}

pub(crate) fn text(text: &str) -> Vec<Value> {
    vec![Value::Text(text.into())]
}

pub(crate) fn blob(bytes: &[u8]) -> Vec<Value> {
    vec![Value::Blob(bytes.to_vec())]
}

/// Every row, read in pages of `limit`.
pub(crate) fn all(transaction: &mut dyn Transaction, table: &str, limit: u32) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    loop {
        let after = rows.last().map(|row| row.key.clone());
        let Page { rows: next, more } = transaction.scan(table, after.as_deref(), limit).unwrap();
        assert!(!more || !next.is_empty(), "a page that goes nowhere");
        rows.extend(next);
        if !more {
            return rows;
        }
    }
}

/// The number of rows of a table, or `None` where there is no such table.
pub(crate) fn count(database: &mut dyn Database, table: &str) -> Option<u64> {
    let tables = database.tables().unwrap();
    tables.into_iter().find(|t| t.name == table).map(|t| t.rows)
}

/// The names in a folder, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
