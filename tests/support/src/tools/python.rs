//! A Python with the distributions that a test needs: the machine's own where it
//! has them, else a virtual environment filled by pip.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::fetch::{once, run};
use super::on_path;

/// The interpreter.
pub fn interpreter(wanted: &[&str]) -> Result<PathBuf, String> {
    let python = on_path("python3").ok_or("there is no python3 on PATH")?;
    if has(&python, wanted) {
        return Ok(python);
    }
    let folder = once(&folder_name(wanted), |folder| make(&python, folder, wanted))?;
    Ok(folder.join("bin/python"))
}

/// Whether all of them are installed. One that asks for a version (`ZODB==5.8`)
/// never is: pip decides what fits.
fn has(python: &Path, wanted: &[&str]) -> bool {
    let ask = "import sys, importlib.metadata as m\nfor d in sys.argv[1:]: m.version(d)";
    run(Command::new(python).args(["-c", ask]).args(wanted)).is_ok()
}

fn make(python: &Path, folder: &Path, wanted: &[&str]) -> Result<(), String> {
    run(Command::new(python).args(["-m", "venv"]).arg(folder))?;
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]);
    run(pip.args(wanted)).map(|_| ())
}

/// The same for the same distributions in any order.
fn folder_name(wanted: &[&str]) -> String {
    let mut names: Vec<String> = wanted.iter().map(|name| plain(name)).collect();
    names.sort();
    format!("venv-{}", names.join("-"))
}

fn plain(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    name.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_folder_for_one_set() {
        assert_eq!(folder_name(&["ZODB", "a>=1"]), "venv-ZODB-a__1");
        assert_eq!(folder_name(&["b", "a"]), folder_name(&["a", "b"]));
    }
}
