//! Alerts, letters, and the times of the looks.

use mhost_model::notify::Standing;
use redb::ReadableTable;

use super::super::read::Snapshot;
use super::super::record::{Enclosure, WatchRec, decode, get};
use super::super::tables::{ALERTS, ENCLOSURES, LETTERS, LOOKS, OUTBOX, TASKS, WATCHED};
use super::super::trouble::Res;
use super::Findings;
use crate::{Letter, LetterState};

pub fn check(snapshot: &Snapshot, findings: &mut Findings) -> Res<()> {
    alerts(snapshot, findings)?;
    letters(snapshot, findings)?;
    looks(snapshot, findings)
}

fn alerts(snapshot: &Snapshot, findings: &mut Findings) -> Res<()> {
    let tasks = snapshot.txn().open_table(TASKS)?;
    for row in snapshot.txn().open_table(ALERTS)?.iter()? {
        let (key, value) = row?;
        let (task, name) = key.value();
        let there = tasks.get(task)?.is_some();
        findings.unless(there, || {
            format!("the alert `{name}` is of task {task}, which is gone")
        });
        let what = format!("the alert `{name}` of task {task}");
        findings.readable(what, decode::<Standing>(value.value()));
    }
    Ok(())
}

fn letters(snapshot: &Snapshot, findings: &mut Findings) -> Res<()> {
    let letters = snapshot.txn().open_table(LETTERS)?;
    let outbox = snapshot.txn().open_table(OUTBOX)?;
    for row in letters.iter()? {
        let (id, value) = row?;
        let id = id.value();
        let letter = decode::<Letter>(value.value());
        if let Some(letter) = findings.readable(format!("letter {id}"), letter) {
            let waits = letter.state == LetterState::Waiting;
            let listed = outbox.get(id)?.is_some();
            findings.unless(waits == listed, || {
                format!("letter {id} would never be delivered, or twice")
            });
        }
    }
    for row in outbox.iter()? {
        let id = row?.0.value();
        let there = letters.get(id)?.is_some();
        findings.unless(there, || format!("letter {id} waits, but is gone"));
    }
    for row in snapshot.txn().open_table(ENCLOSURES)?.iter()? {
        let (key, value) = row?;
        let (id, number) = key.value();
        let there = outbox.get(id)?.is_some();
        findings.unless(there, || {
            format!("there is an enclosure of letter {id}, which does not wait")
        });
        let what = format!("enclosure {number} of letter {id}");
        findings.readable(what, decode::<Enclosure>(value.value()));
    }
    Ok(())
}

fn looks(snapshot: &Snapshot, findings: &mut Findings) -> Res<()> {
    let watched = snapshot.txn().open_table(WATCHED)?;
    let looks = snapshot.txn().open_table(LOOKS)?;
    let tasks = snapshot.txn().open_table(TASKS)?;
    for row in looks.iter()? {
        let (at, task) = row?.0.value();
        let there = findings.readable(format!("the look at task {task}"), get(&watched, task));
        let same = there
            .flatten()
            .is_some_and(|rec: WatchRec| rec.look_at == Some(at));
        findings.unless(same, || {
            format!("task {task} would be looked at for nothing")
        });
    }
    for row in watched.iter()? {
        let (task, value) = row?;
        let task = task.value();
        let there = tasks.get(task)?.is_some();
        findings.unless(there, || format!("task {task} is watched, but is gone"));
        let rec = decode::<WatchRec>(value.value());
        if let Some(at) = findings
            .readable(format!("the look at task {task}"), rec)
            .and_then(|rec| rec.look_at)
        {
            let listed = looks.get((at, task))?.is_some();
            findings.unless(listed, || format!("task {task} would never be looked at"));
        }
    }
    Ok(())
}
