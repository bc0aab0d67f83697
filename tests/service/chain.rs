//! The ledger accounts for every due time (rule 1), over edits, pauses and times without
//! anybody, and `mhost runs gaps` proves it.

use serde_json::{Value, json};

use super::home::{Home, mirror};

const DAILY: &str = "{ cron = \"0 3 * * *\" }";

fn at(text: &str) -> String {
    format!("2026-12-{text}:00Z")
}

fn day(home: &Home, now: &str, code: i32, args: &[&str]) -> Value {
    home.json(Some(&at(now)), code, args)
}

/// Fire times and outcomes of the task, oldest first, as `02 03:00 succeeded`.
fn rows(home: &Home, now: &str) -> Vec<String> {
    let rows = day(home, now, 0, &["runs", "list", "--task", "copy"]);
    let mut rows: Vec<String> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let fire = row["fire_at"].as_str().unwrap();
            let (day, time) = (&fire[8..10], &fire[11..16]);
            format!("{day} {time} {}", row["outcome"].as_str().unwrap())
        })
        .collect();
    rows.reverse();
    rows
}

#[test]
fn rule_1_edits_and_pauses_leave_no_gap() {
    let home = Home::new(&mirror("copy", DAILY));
    day(&home, "01T02:00", 0, &["apply", "mhost.toml"]);
    day(&home, "01T03:01", 0, &["tick"]);
    // Two days without anybody; then the schedule is changed before the fires had a chance.
    home.write("mhost.toml", &mirror("copy", "{ cron = \"0 4 * * *\" }"));
    day(&home, "03T03:30", 0, &["apply", "mhost.toml"]);
    day(&home, "03T04:01", 0, &["tick"]);
    day(&home, "03T12:00", 0, &["task", "pause", "copy"]);
    day(&home, "06T12:00", 0, &["task", "resume", "copy"]);
    day(&home, "07T04:01", 0, &["tick"]);
    let mut expected = vec![
        "01 03:00 succeeded",
        "02 03:00 skipped",
        "03 03:00 skipped",
        "03 04:00 succeeded",
        "07 04:00 succeeded",
    ];
    assert_eq!(rows(&home, "07T04:02"), expected);
    let proof = day(&home, "07T04:02", 0, &["runs", "gaps", "copy"]);
    assert_eq!(proof["accounted"], 5, "{proof}");
    assert_eq!((&proof["gaps"], &proof["strays"]), (&json!([]), &json!([])));
    assert_eq!(proof["waiting"], 0);

    // Asked to, a pause is made good as missed fires are.
    day(&home, "07T12:00", 0, &["task", "pause", "copy"]);
    day(
        &home,
        "09T12:00",
        0,
        &["task", "resume", "copy", "--catch-up"],
    );
    let proof = day(&home, "09T12:00", 0, &["runs", "gaps", "copy"]);
    assert_eq!(proof["waiting"], 2, "{proof}");
    let next = day(&home, "09T12:00", 0, &["task", "next", "copy", "-n", "2"]);
    let kinds: Vec<&str> = next["fires"][0]["notes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|note| note["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["catch-up", "missed"], "{next}");
    assert_eq!(next["fires"][1]["fire_at"], "2026-12-10T04:00:00Z");
    day(&home, "09T12:00", 0, &["tick"]);
    expected.extend(["08 04:00 coalesced", "09 04:00 succeeded"]);
    assert_eq!(rows(&home, "09T12:01"), expected);
    let proof = day(&home, "09T12:01", 0, &["runs", "gaps", "copy"]);
    assert_eq!(proof["accounted"], 7, "{proof}");
}

/// The proof would fail: a fire that the file forgets is found.
#[test]
fn rule_1_a_gap_is_found() {
    use redb::{ReadableTable as _, TableDefinition};
    const FIRES: TableDefinition<(u64, i64, u8), u64> = TableDefinition::new("fires");
    let home = Home::new(&mirror("copy", DAILY));
    day(&home, "01T02:00", 0, &["apply", "mhost.toml"]);
    day(&home, "04T03:01", 0, &["tick"]);
    let file = home.path("state/mhost.redb");
    let database = redb::Database::open(file).unwrap();
    let txn = database.begin_write().unwrap();
    {
        let mut fires = txn.open_table(FIRES).unwrap();
        let keys: Vec<(u64, i64, u8)> = fires
            .iter()
            .unwrap()
            .map(|row| row.unwrap().0.value())
            .collect();
        let second = chrono::DateTime::parse_from_rfc3339(&at("02T03:00")).unwrap();
        let lost = keys.iter().find(|key| key.1 == second.timestamp_millis());
        fires.remove(lost.unwrap()).unwrap();
    }
    txn.commit().unwrap();
    drop(database);
    let proof = day(&home, "04T03:02", 1, &["runs", "gaps", "copy"]);
    assert_eq!(proof["gaps"], json!(["2026-12-02T03:00:00Z"]), "{proof}");
    assert_eq!(proof["accounted"], 3);
    let args = ["runs", "gaps", "copy", "--since", "2026-12-02T03:00:01Z"];
    assert_eq!(day(&home, "04T03:02", 0, &args)["accounted"], 2);
}

#[test]
fn a_paused_task_shows_what_it_would_be_due_for() {
    let home = Home::new(&mirror("copy", DAILY));
    day(&home, "01T02:00", 0, &["apply", "mhost.toml"]);
    day(&home, "01T02:00", 0, &["task", "pause", "copy"]);
    let next = day(&home, "01T02:00", 0, &["task", "next", "copy", "-n", "1"]);
    assert_eq!(next["fires"][0]["fire_at"], "2026-12-01T03:00:00Z");
    assert_eq!(next["fires"][0]["notes"][0]["kind"], "paused", "{next}");
    assert_eq!(day(&home, "01T03:01", 0, &["tick"]), json!([]));
}
