//! Making a folder below `target/tools/` once, whoever asks first.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::place::target_dir;

const MARKER: &str = ".complete";

/// The folder `target/tools/NAME`, made by `make` unless it is there whole.
/// `make` gets the final path, since some tools write their own path into files.
pub fn once(name: &str, make: impl FnOnce(&Path) -> Result<(), String>) -> Result<PathBuf, String> {
    once_in(&target_dir().join("tools"), name, make)
}

fn once_in(
    tools: &Path,
    name: &str,
    make: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let folder = tools.join(name);
    if folder.join(MARKER).is_file() {
        return Ok(folder);
    }
    fs::create_dir_all(tools).map_err(|error| said("make", tools, &error))?;
    let _lock = lock(&tools.join(format!("{name}.lock")))?;
    // Another process may have made it while this one waited.
    if !folder.join(MARKER).is_file() {
        make_anew(&folder, make)?;
    }
    Ok(folder)
}

fn make_anew(folder: &Path, make: impl FnOnce(&Path) -> Result<(), String>) -> Result<(), String> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|error| said("clear", folder, &error))?;
    }
    fs::create_dir_all(folder).map_err(|error| said("make", folder, &error))?;
    make(folder)?;
    fs::write(folder.join(MARKER), "").map_err(|error| said("write to", folder, &error))
}

/// Held until the file is dropped; the system releases it when a process dies.
fn lock(path: &Path) -> Result<File, String> {
    let file = File::create(path).map_err(|error| said("make", path, &error))?;
    file.lock().map_err(|error| said("lock", path, &error))?;
    Ok(file)
}

/// Runs a command to its end; what it said is the error.
pub fn run(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|error| format!("cannot run {program}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last: Vec<&str> = said.lines().rev().take(3).collect();
    let last = last.into_iter().rev().collect::<Vec<_>>().join("; ");
    Err(format!("{program} ended with {}: {last}", output.status))
}

fn said(verb: &str, path: &Path, error: &std::io::Error) -> String {
    format!("cannot {verb} {}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn parallel_askers_make_it_once() {
        let tools = scratch("fetch");
        let made = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let make = |folder: &Path| {
                        made.fetch_add(1, Ordering::SeqCst);
                        fs::write(folder.join("x"), "1").map_err(|error| error.to_string())
                    };
                    let folder = once_in(tools.path(), "thing", make).unwrap();
                    assert_eq!(fs::read(folder.join("x")).unwrap(), b"1");
                });
            }
        });
        assert_eq!(made.into_inner(), 1);
    }

    #[test]
    fn a_half_made_folder_is_made_anew() {
        let tools = scratch("fetch");
        let fails = |folder: &Path| {
            fs::write(folder.join("half"), "").unwrap();
            Err("no network".to_owned())
        };
        assert_eq!(
            once_in(tools.path(), "t", fails),
            Err("no network".to_owned())
        );
        let folder = once_in(tools.path(), "t", |_| Ok(())).unwrap();
        assert!(!folder.join("half").exists());
    }

    #[test]
    fn a_failing_command_is_quoted() {
        let error = run(Command::new("sh").args(["-c", "echo why >&2; exit 3"])).unwrap_err();
        assert!(error.contains("why") && error.contains('3'), "{error}");
    }
}
