//! Programs from Debian's packages, unpacked without installing them: neither the
//! machine nor root's rights are touched.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::fetch::{once, run};

/// A program, and what has to be unpacked for it to run.
pub struct Package {
    pub name: &'static str,
    /// Below the unpacked tree.
    pub program: &'static str,
    /// Shared libraries that a small system may lack.
    pub libraries: &'static [&'static str],
    /// An argument with which the program only says its version; none where there is no such.
    pub version: Option<&'static str>,
}

pub const RESTIC: Package = Package {
    name: "restic",
    program: "usr/bin/restic",
    libraries: &[],
    version: Some("version"),
};

pub const LOGROTATE: Package = Package {
    name: "logrotate",
    program: "usr/sbin/logrotate",
    libraries: &["libpopt0", "libacl1", "libselinux1", "libpcre2-8-0"],
    version: Some("--version"),
};

pub const BLACKBOX: Package = Package {
    name: "prometheus-blackbox-exporter",
    program: "usr/bin/prometheus-blackbox-exporter",
    libraries: &[],
    version: Some("--version"),
};

pub const RSYNC: Package = Package {
    name: "rsync",
    program: "usr/bin/rsync",
    libraries: &[
        "libpopt0",
        "libacl1",
        "liblz4-1",
        "libxxhash0",
        "libzstd1",
        "libssl3",
    ],
    version: Some("--version"),
};

/// Its server cannot say its version.
pub const SSHD: Package = Package {
    name: "openssh-server",
    program: "usr/sbin/sshd",
    libraries: &["libwrap0", "libnsl2", "libtirpc3", "openssh-sftp-server"],
    version: None,
};

/// Serves folders over several protocols.
pub const RCLONE: Package = Package {
    name: "rclone",
    program: "usr/bin/rclone",
    libraries: &[],
    version: Some("version"),
};

pub const BORG: Package = Package {
    name: "borgbackup",
    program: "usr/bin/borg",
    libraries: &[
        "libxxhash0",
        "liblz4-1",
        "libzstd1",
        "libacl1",
        "libssl3",
        "python3-msgpack",
        "python3-packaging",
        "python3-pyparsing",
    ],
    version: Some("--version"),
};

pub const SQLITE: Package = Package {
    name: "sqlite3",
    program: "usr/bin/sqlite3",
    libraries: &["libsqlite3-0", "libreadline8", "libtinfo6"],
    version: Some("-version"),
};

impl Package {
    /// The executable; the second time at once.
    pub fn get(&self) -> Result<PathBuf, String> {
        let folder = once(&format!("debian-{}", self.name), |folder| self.make(folder))?;
        Ok(folder.join(self.name))
    }

    fn make(&self, folder: &Path) -> Result<(), String> {
        if super::on_path("apt-get").is_none() || super::on_path("dpkg").is_none() {
            return Err("it is not installed, and there is no apt-get to fetch it with".to_owned());
        }
        let root = folder.join("root");
        fs::create_dir_all(&root).map_err(|error| error.to_string())?;
        for name in self.libraries.iter().chain([&self.name]) {
            unpack(&download(folder, name)?, &root)?;
        }
        let script = folder.join(self.name);
        write_script(&script, &root.join(self.program), &root)?;
        match self.version {
            Some(version) => run(Command::new(&script).arg(version)).map(|_| ()),
            None => Ok(()),
        }
    }
}

/// Tries with the machine's package lists first; where there are none, gets own
/// ones, which needs no rights either.
fn download(folder: &Path, package: &str) -> Result<PathBuf, String> {
    let debs = folder.join("debs").join(package);
    fs::create_dir_all(&debs).map_err(|error| error.to_string())?;
    let fetch = |options: &[String]| {
        run(apt(options).current_dir(&debs).args(["download", package])).map(|_| ())
    };
    if fetch(&[]).is_err() {
        let own = own_lists(folder)?;
        fetch(&own)?;
    }
    only_entry(&debs)
}

fn apt(options: &[String]) -> Command {
    let mut command = Command::new("apt-get");
    command
        .env("LC_ALL", "C")
        .args(["-qq", "-o", "APT::Sandbox::User=root"]);
    command.args([
        "-o",
        "Acquire::Retries=2",
        "-o",
        "Acquire::http::Timeout=30",
    ]);
    for option in options {
        command.arg("-o").arg(option);
    }
    command
}

fn own_lists(folder: &Path) -> Result<Vec<String>, String> {
    let (state, cache) = (folder.join("apt/state"), folder.join("apt/cache"));
    for dir in [state.join("lists/partial"), cache.join("archives/partial")] {
        fs::create_dir_all(dir).map_err(|error| error.to_string())?;
    }
    let options = vec![
        format!("Dir::State={}", state.display()),
        "Dir::State::status=/var/lib/dpkg/status".to_owned(),
        format!("Dir::Cache={}", cache.display()),
    ];
    if fs::read_dir(state.join("lists")).map_or(0, Iterator::count) <= 1 {
        run(apt(&options).arg("update"))?;
    }
    Ok(options)
}

fn only_entry(dir: &Path) -> Result<PathBuf, String> {
    let mut entries = fs::read_dir(dir).map_err(|error| error.to_string())?;
    match entries.next() {
        Some(Ok(entry)) => Ok(entry.path()),
        _ => Err(format!("apt-get left no package in {}", dir.display())),
    }
}

fn unpack(deb: &Path, root: &Path) -> Result<(), String> {
    run(Command::new("dpkg").arg("-x").arg(deb).arg(root)).map(|_| ())
}

/// A script of the program's name that lets it find the unpacked libraries.
fn write_script(script: &Path, program: &Path, root: &Path) -> Result<(), String> {
    let libraries = library_folders(root).join(":");
    let modules = root.join("usr/lib/python3/dist-packages");
    let modules = match modules.is_dir() {
        true => format!("PYTHONPATH='{}'\nexport PYTHONPATH\n", modules.display()),
        false => String::new(),
    };
    let text = format!(
        "#!/bin/sh\nLD_LIBRARY_PATH='{libraries}'${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}\n\
         export LD_LIBRARY_PATH\n{modules}exec '{}' \"$@\"\n",
        program.display()
    );
    fs::write(script, text).map_err(|error| error.to_string())?;
    fs::set_permissions(script, fs::Permissions::from_mode(0o755))
        .map_err(|error| error.to_string())
}

fn library_folders(root: &Path) -> Vec<String> {
    ["lib", "usr/lib"]
        .iter()
        .filter_map(|dir| fs::read_dir(root.join(dir)).ok())
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .map(|path| path.display().to_string())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch;

    #[test]
    fn the_script_runs_the_program_with_its_arguments() {
        let root = scratch("debian");
        fs::create_dir_all(root.path().join("usr/lib/some-arch")).unwrap();
        let program = root.path().join("say");
        fs::write(&program, "#!/bin/sh\necho \"$LD_LIBRARY_PATH|$*\"\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let script = root.path().join("script");
        write_script(&script, &program, root.path()).unwrap();
        let said = run(Command::new(&script).args(["a", "b c"])).unwrap();
        assert!(said.contains("usr/lib/some-arch"), "{said}");
        assert!(said.trim_end().ends_with("|a b c"), "{said}");
    }
}
