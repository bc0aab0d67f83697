//! The things that the demo maintains: databases with deleted rows, logs, a tree of
//! content, and the configuration for them.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use mhost_model::Instant;
use redb::{ReadableDatabase as _, TableDefinition};

use crate::exit::{Outcomes, Problem};

/// Tasks in the configuration.
pub const TASKS: usize = 6;

const ROWS: u32 = 20_000;
/// One row in so many stays.
const KEPT: u32 = 10;
const SESSIONS: TableDefinition<u64, &[u8]> = TableDefinition::new("sessions");

/// Makes all of it.
pub fn make(folder: &Path) -> Outcomes<()> {
    for name in ["data", "logs", "content/articles", "copy", "backup"] {
        let path = folder.join(name);
        fs::create_dir_all(&path).map_err(|error| Problem::io("create", &path, &error))?;
    }
    let failed = |what: &str, why: &dyn std::fmt::Display| {
        Problem::failed(format!("cannot make the demo's {what}: {why}"))
    };
    sqlite(&folder.join("data/site.db")).map_err(|error| failed("SQLite database", &error))?;
    sessions(&folder.join("data/sessions.redb"))
        .map_err(|error| failed("redb database", &error))?;
    files(folder).map_err(|error| failed("files", &error))
}

/// Pages of a site, most of them deleted again.
fn sqlite(path: &Path) -> rusqlite::Result<()> {
    let mut connection = rusqlite::Connection::open(path)?;
    connection.execute_batch(
        "CREATE TABLE page (id INTEGER PRIMARY KEY, title TEXT NOT NULL, body TEXT NOT NULL)",
    )?;
    let transaction = connection.transaction()?;
    {
        let mut insert = transaction.prepare("INSERT INTO page (title, body) VALUES (?1, ?2)")?;
        for row in 0..ROWS {
            insert.execute((
                format!("Page {row}"),
                format!("Text of page {row}. ").repeat(20),
            ))?;
        }
    }
    transaction.commit()?;
    connection.execute("DELETE FROM page WHERE id % ?1 <> 0", (KEPT,))?;
    Ok(())
}

/// Sessions of visitors, most of them expired and removed.
fn sessions(path: &Path) -> Result<(), redb::Error> {
    let database = redb::Database::create(path)?;
    let write = database.begin_write()?;
    {
        let mut table = write.open_table(SESSIONS)?;
        for row in 0..u64::from(ROWS) {
            table.insert(row, [b'x'; 200].as_slice())?;
        }
    }
    write.commit()?;
    let write = database.begin_write()?;
    write
        .open_table(SESSIONS)?
        .retain(|row, _| row % u64::from(KEPT) == 0)?;
    write.commit()?;
    // Read once: a demo that made nothing would show nothing.
    database.begin_read()?.open_table(SESSIONS)?;
    Ok(())
}

fn files(folder: &Path) -> std::io::Result<()> {
    let mut log = std::io::BufWriter::new(fs::File::create(folder.join("logs/access.log"))?);
    for line in 0..5_000 {
        writeln!(
            log,
            "127.0.0.1 - - [01/Dec/2026:03:{:02}:{:02} +0000] \"GET /articles/{line} HTTP/1.1\" 200 {}",
            line / 60 % 60,
            line % 60,
            1000 + line
        )?;
    }
    log.flush()?;
    fs::write(
        folder.join("logs/error.log"),
        "[error] a small log, not due yet\n",
    )?;
    fs::write(folder.join("content/index.html"), "<h1>Welcome</h1>\n")?;
    for article in 0..25 {
        let text = format!("<h1>Article {article}</h1>\n").repeat(50 + article);
        fs::write(
            folder.join(format!("content/articles/{article}.html")),
            text,
        )?;
    }
    fs::write(folder.join("backup.password"), "the demo's password\n")
}

/// Writes `mhost.toml`; every task is due at `due` and then hourly.
pub fn configure(folder: &Path, site: SocketAddr, due: Instant) -> Outcomes<PathBuf> {
    let from =
        (due - chrono::TimeDelta::hours(1)).to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let text = include_str!("mhost.toml")
        .replace("{from}", &from)
        .replace("{site}", &format!("http://{site}"));
    let path = folder.join("mhost.toml");
    fs::write(&path, text).map_err(|error| Problem::io("write", &path, &error))?;
    Ok(path)
}
