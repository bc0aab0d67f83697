//! `mhost import logrotate`: what it makes of configurations, and what it says it did not.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use crate::host::{Home, START};

/// A home with a configuration of logrotate, in which LOGS stands for its folder of logs.
fn home(conf: &str) -> Home {
    let home = Home::new("");
    let logs = home.path("logs").display().to_string();
    fs::write(home.path("web"), conf.replace("LOGS", &logs)).unwrap();
    home
}

/// What is printed, and what is said beside it.
fn imported(home: &Home, arguments: &[&str]) -> (String, String, bool) {
    let arguments = [&["import", "logrotate", "-s", "status"], arguments].concat();
    let output = home.command(START, &arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        text(output.stdout),
        text(output.stderr),
        output.status.success(),
    )
}

fn table(toml: &str) -> toml::Table {
    toml.parse()
        .unwrap_or_else(|error| panic!("{error}\n{toml}"))
}

pub fn an_import_grants_what_is_there_and_no_more() {
    let home = home(
        "LOGS/*.log LOGS/none/*.log {\nmonthly\nmaxsize 1M\nrotate 3\ncreate root adm\ncreateolddir daemon bin\n}\n\
         /none/at/all/*.log {\nweekly\n}\n\
         LOGS/x.txt {\nyearly\n}\nLOGS/y.txt {\nmonthly\nminage 3\n}\nLOGS/z.txt {\nhourly\nminsize 1k\n}\n",
    );
    home.write("logs/app.log", "a line\n");
    home.write(
        "status",
        "logrotate state -- version 2\n\"LOGS/app.log\" 2026-2-3-4:5:6\n"
            .replace("LOGS", &home.path("logs").display().to_string())
            .as_str(),
    );
    let (toml, said, well) = imported(&home, &["web"]);
    assert!(well, "{said}");
    let table = table(&toml);
    let tasks = table["tasks"].as_table().unwrap();
    let cron = |name: &str| tasks[name]["schedule"]["cron"].as_str().unwrap().to_owned();
    for (name, expected) in [
        ("rotate-web", "0 0 * * *"),
        ("rotate-web-2", "0 0 1 1 *"),
        ("rotate-web-3", "0 0 * * *"),
        ("rotate-web-4", "0 * * * *"),
    ] {
        assert_eq!(cron(name), expected, "{name}");
    }
    assert_eq!(tasks.len(), 4);
    let logs = home.path("logs").display().to_string();
    for task in tasks.values() {
        let dirs = task["grants"]["dirs"].as_table().unwrap();
        let paths: Vec<_> = dirs
            .values()
            .map(|dir| dir["path"].as_str().unwrap())
            .collect();
        assert_eq!(paths, [logs.as_str()]);
    }
    let config = &tasks["rotate-web"]["config"];
    let text = config["conf_text"].as_str().unwrap();
    assert!(!text.contains("none"), "{text}");
    assert!(text.contains("create root 4\n"), "{text}");
    assert!(text.contains("createolddir daemon 2\n"), "{text}");
    let seed = config["seed"].as_table().unwrap();
    assert_eq!(
        seed[&format!("{logs}/app.log")].as_str(),
        Some("2026-2-3-4:5:6")
    );
    for word in ["/none/*.log: the folder", "/none/at/all does not exist"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert!(
        !home.path("state/mhost.toml").exists(),
        "nothing is changed"
    );

    // What is passed over says why.
    fs::set_permissions(home.path("web"), fs::Permissions::from_mode(0o664)).unwrap();
    let (_, said, well) = imported(&home, &["web"]);
    assert!(!well && said.contains("can write to it"), "{said}");
}

pub fn an_imported_task_refuses_until_its_script_is_granted() {
    let home = home(
        "LOGS/app.log {\nsize 1\nrotate 3\ncreate 0640\ncompress\ndelaycompress\npostrotate\n  kill -USR1 1\nendscript\n}\n",
    );
    home.write("logs/app.log", "a line\n");
    let (toml, said, _) = imported(&home, &["web"]);
    assert!(
        said.contains("kill -USR1 1") && said.contains("scripts.postrotate"),
        "{said}"
    );
    fs::write(home.path("tasks.toml"), &toml).unwrap();
    home.done(START, &["apply", "tasks.toml"], true);
    let told = home.done(START, &["run", "rotate-web"], false);
    assert!(told.contains("scripts.postrotate"), "{told}");
    assert_eq!(home.names(), ["app.log"]);
    let granted = format!(
        "{toml}\n[tasks.rotate-web.config.scripts]\npostrotate = \"reopen\"\n\
         [tasks.rotate-web.grants.processes.reopen]\ncommand = [\"/bin/true\", \"{{1}}\", \"{{2}}\"]\n"
    );
    fs::write(home.path("tasks.toml"), granted).unwrap();
    home.done(START, &["apply", "tasks.toml"], true);
    home.done(START, &["run", "rotate-web"], true);
    assert_eq!(home.names(), ["app.log", "app.log.1"]);
}

pub fn an_import_spoils_no_configuration() {
    let home = home("LOGS/app.log {\ndaily\n}\n");
    let file = home.path("state/mhost.toml");
    let real = home.path("real.toml");
    fs::create_dir_all(home.path("state")).unwrap();
    for before in [
        "tasks = { other = { plugin = \"ping\" } }\n",
        "[tasks.rotate-web]\nplugin = \"ping\"\n",
        "[tasks.\"rotate-web\"]\nplugin = \"ping\"\n",
        "this is no TOML",
    ] {
        fs::write(&file, before).unwrap();
        let (_, said, well) = imported(&home, &["--write", "web"]);
        assert!(!well, "{before}");
        assert!(said.contains("mhost.toml"), "{said}");
        assert_eq!(fs::read_to_string(&file).unwrap(), before);
    }
    // A link is written through, and what it leads to keeps its mode.
    fs::remove_file(&file).unwrap();
    fs::write(&real, "# mine").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o604)).unwrap();
    std::os::unix::fs::symlink(&real, &file).unwrap();
    let (_, said, well) = imported(&home, &["--write", "web"]);
    assert!(well, "{said}");
    assert!(fs::symlink_metadata(&file).unwrap().is_symlink());
    assert_eq!(fs::metadata(&real).unwrap().mode() & 0o7777, 0o604);
    let text = fs::read_to_string(&real).unwrap();
    assert!(text.starts_with("# mine\n\n[tasks.rotate-web]"), "{text}");
    home.done(START, &["apply"], true);
}
