//! `mhost db …`.

use clap::Subcommand;
use mhost_model::ports::database::Verdict;
use mhost_model::{ByteSize, Name};

use super::{Context, output};
use crate::calls::databases::{
    DatabaseRow, DatabaseStat, ListDatabases, StatDatabase, VerifyDatabase,
};
use crate::exit::{Kind, Outcomes};
use crate::session;

#[derive(Subcommand)]
pub enum Command {
    /// The databases that are defined
    List,
    /// Size, tables and rows of one
    Stat { name: Name },
    /// Check one, changing nothing
    Verify { name: Name },
}

pub async fn run(command: Command, context: &Context) -> Outcomes<u8> {
    let home = &context.home;
    match command {
        Command::List => {
            let rows = session::ask(home, ListDatabases {}).await?;
            context.output.data(&rows, |rows| list(rows))?;
        }
        Command::Stat { name } => {
            let stat = session::ask(home, StatDatabase { name }).await?;
            context.output.data(&stat, show)?;
        }
        Command::Verify { name } => {
            let verdict = session::ask(home, VerifyDatabase { name }).await?;
            context.output.data(&verdict, judged)?;
            return Ok(if verdict.sound {
                0
            } else {
                Kind::Failed.code()
            });
        }
    }
    Ok(0)
}

fn size(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "-".into(), |bytes| ByteSize(bytes).to_string())
}

fn list(rows: &[DatabaseRow]) -> String {
    if rows.is_empty() {
        return "No databases are defined: `[databases.NAME]` in mhost.toml.\n".into();
    }
    output::table(
        ["DATABASE", "ENGINE", "SIZE", "RECLAIMABLE", "PATH", "STATE"],
        rows.iter().map(|row| {
            let info = row.info.as_ref();
            [
                row.name.to_string(),
                row.definition.engine.as_str().into(),
                size(info.map(|info| info.size)),
                size(info.and_then(|info| info.reclaimable)),
                row.definition.path.display().to_string(),
                row.error.as_ref().map_or_else(
                    || "ok".into(),
                    |error| output::brief(&error.to_string(), 80),
                ),
            ]
        }),
    )
}

fn show(stat: &DatabaseStat) -> String {
    let head = format!(
        "{}: {} {}, {}, reclaimable {}\n{}\n",
        stat.name,
        stat.info.engine,
        stat.info.version,
        ByteSize(stat.info.size),
        size(stat.info.reclaimable),
        stat.definition.path.display(),
    );
    let rows = stat.tables.iter().map(|table| {
        [
            table.name.clone(),
            table.rows.to_string(),
            table.shape.clone(),
        ]
    });
    head + &output::table(["TABLE", "ROWS", "SHAPE"], rows)
}

fn judged(verdict: &Verdict) -> String {
    let word = if verdict.sound { "sound" } else { "NOT sound" };
    let findings = verdict
        .findings
        .iter()
        .map(|finding| format!("  {}\n", output::one_line(finding)));
    format!("{word}\n") + &findings.collect::<String>()
}
