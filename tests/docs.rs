//! Pages that are made from code: they must be what the code says. `just docs` writes
//! them anew.

#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;

fn page(name: &str) -> PathBuf {
    let host = Path::new(env!("CARGO_MANIFEST_DIR"));
    host.parent().unwrap().join("docs").join(name)
}

fn check(name: &str, made: &str) {
    let path = page(name);
    if std::env::var_os("MHOST_BLESS").is_some() {
        fs::write(&path, made).unwrap();
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(there == made, "docs/{name} is out of date: run `just docs`");
}

/// Every command's own help, below each other.
fn commands() -> String {
    let mut text = String::from(
        "# The command line\n\nMade from `mhost --help`; `just docs` writes it anew.\n",
    );
    let mut root = mhost::cli::Cli::command().term_width(100);
    root.build();
    add(&mut text, &root, "mhost");
    text
}

fn add(text: &mut String, command: &clap::Command, name: &str) {
    let help = command
        .clone()
        .bin_name(name)
        .term_width(100)
        .render_long_help()
        .to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    text.push_str(&format!(
        "\n## `{name}`\n\n```text\n{}\n```\n",
        lines.join("\n")
    ));
    for sub in command
        .get_subcommands()
        .filter(|sub| sub.get_name() != "help")
    {
        add(text, sub, &format!("{name} {}", sub.get_name()));
    }
}

#[test]
fn the_commands_page_is_true() {
    check("commands.md", &commands());
}

#[test]
fn the_configuration_page_is_true() {
    check("configuration.md", &mhost::config::reference());
}

/// Every call that the service answers stands in its page.
#[test]
fn the_service_page_names_every_call() {
    let page = fs::read_to_string(page("service.md")).unwrap();
    let calls = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/calls");
    let mut named = 0;
    for entry in fs::read_dir(calls).unwrap() {
        let path = entry.unwrap().path();
        let Ok(source) = fs::read_to_string(&path) else {
            continue;
        };
        for line in source.lines() {
            let call = line.trim().strip_prefix("const PATH: &'static str = \"");
            if let Some(call) = call.and_then(|rest| rest.strip_suffix("\";")) {
                assert!(page.contains(&format!("`/v1/{call}`")), "{call}");
                named += 1;
            }
        }
    }
    assert!(named > 25, "{named} calls found");
}
