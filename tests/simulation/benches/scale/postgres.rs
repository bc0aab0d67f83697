//! The same in PostgreSQL, as its users do it: batches of 100, claimed with SKIP LOCKED and
//! completed, each in a durable transaction. Debian's server is started as its own user in a folder of
//! its own, with the settings that it comes with, so that it syncs each commit as mhost does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mhost_test_support::scratch;

use super::measure::pause;

const ROWS: u32 = 1_000_000;
const SECONDS: &str = "5";

const TABLE: &str = "
create table fires (
    id bigint generated always as identity primary key, task bigint not null, fire_at timestamptz not null,
    state text not null default 'due', started_at timestamptz, finished_at timestamptz, outcome text);
create index due on fires (fire_at) where state = 'due';
create unique index fire on fires (task, fire_at);
";

/// A transaction that claims a batch, and one that completes it.
const SCRIPT: &str = "
with batch as (
    select id from fires where state = 'due' order by fire_at limit 100 for update skip locked),
claimed as (
    update fires set state = 'on', started_at = now() from batch where fires.id = batch.id
    returning fires.id)
select coalesce(array_agg(id), '{}') as ids from claimed \\gset
update fires set state = 'over', finished_at = now(), outcome = 'succeeded'
where id = any(':ids');
";

pub fn run() {
    match server() {
        Ok(server) => server.measure(),
        Err(why) => println!("not measured: {why}"),
    }
}

struct Server {
    programs: PathBuf,
    folder: tempfile::TempDir,
    child: Child,
}

/// The newest that is installed.
fn programs() -> Result<PathBuf, String> {
    let versions = fs::read_dir("/usr/lib/postgresql").map_err(|error| {
        format!("there is no PostgreSQL in /usr/lib/postgresql ({error}): install the package `postgresql`")
    })?;
    let bins = versions.flatten().map(|version| version.path().join("bin"));
    bins.filter(|bin| bin.join("initdb").exists())
        .max()
        .ok_or_else(|| "/usr/lib/postgresql has no server".into())
}

fn server() -> Result<Server, String> {
    let programs = programs()?;
    let folder = tempfile::Builder::new()
        .prefix("mhost-postgres-")
        .tempdir_in("/tmp")
        .map_err(|error| error.to_string())?;
    own(folder.path())?;
    let data = folder.path().join("data");
    let mut initdb = as_user(&programs.join("initdb"));
    initdb.args(["-A", "trust", "-U", "bench", "-D"]).arg(&data);
    done(initdb)?;
    let mut postgres = as_user(&programs.join("postgres"));
    let child = postgres
        .arg("-D")
        .arg(&data)
        .args(["-c", "listen_addresses=", "-k"])
        .arg(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let server = Server {
        programs,
        folder,
        child,
    };
    for _ in 0..100 {
        if server.psql("select 1").is_ok() {
            return Ok(server);
        }
        pause(Duration::from_millis(100));
    }
    Err("the server does not answer".into())
}

/// The server refuses to run as the superuser.
fn as_user(program: &Path) -> Command {
    match rustix::process::getuid().is_root() {
        false => Command::new(program),
        true => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
            command.arg(program).current_dir("/tmp");
            command
        }
    }
}

fn own(folder: &Path) -> Result<(), String> {
    if !rustix::process::getuid().is_root() {
        return Ok(());
    }
    let mut chown = Command::new("chown");
    chown.arg("postgres:").arg(folder);
    done(chown).map(drop)
}

fn done(mut command: Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

impl Server {
    fn psql(&self, text: &str) -> Result<String, String> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.arg("-h")
            .arg(self.folder.path())
            .args(["-U", "bench", "-d", "postgres", "-qAtX", "-c", text]);
        done(psql)
    }

    fn measure(&self) {
        let version = self.psql("show server_version").unwrap();
        self.psql(TABLE).unwrap();
        let script = scratch("postgres");
        let path = script.path().join("script.sql");
        fs::write(&path, SCRIPT).unwrap();
        for clients in [1, 2, 4] {
            let fill = format!(
                "truncate fires; insert into fires (task, fire_at)
                 select n, now() - n * interval '1 second' from generate_series(1, {ROWS}) n"
            );
            self.psql(&fill).unwrap();
            self.psql("vacuum analyze fires").unwrap();
            self.psql("checkpoint").unwrap();
            let mut pgbench = Command::new(self.programs.join("pgbench"));
            pgbench
                .arg("-h")
                .arg(self.folder.path())
                .args(["-U", "bench", "-n", "-T", SECONDS])
                .args(["-c", &clients.to_string(), "-f"])
                .arg(&path)
                .arg("postgres");
            let told = done(pgbench).unwrap();
            let over = self.psql("select count(*) from fires where outcome = 'succeeded'");
            let over: f64 = over.unwrap().trim().parse().unwrap();
            assert!(over < f64::from(ROWS), "it ran out of rows: give it more");
            let seconds: f64 = SECONDS.parse().unwrap();
            println!(
                "PostgreSQL {}, SKIP LOCKED, batches of 100, {clients} clients: {:.0} a second by the clock ({})",
                version.trim(),
                over / seconds,
                told.lines()
                    .find(|line| line.contains("latency average"))
                    .unwrap_or_default()
            );
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A fast shutdown; the folder goes with its guard.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        let _ = self.child.wait();
    }
}
