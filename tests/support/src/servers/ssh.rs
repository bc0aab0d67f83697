//! OpenSSH's server as an ordinary user's process: with keys of its own, for that user alone.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Server, free_port};
use crate::tools::{Tool, Unavailable};

/// Nobody: who serves where the tests are run by root, for whom the server wants a user of
/// its own that a machine without it lacks.
const NOBODY: (u32, &str) = (65534, "nobody");

/// The server, and a client's configuration that leads there as the host `vault`.
#[derive(Debug)]
pub struct Ssh {
    server: Option<Server>,
    binary: PathBuf,
    scratch: PathBuf,
    pub port: u16,
}

impl Ssh {
    /// In `scratch`, which must exist; its `files` are what the server may change.
    #[track_caller]
    pub fn start(scratch: &Path) -> Result<Self, Unavailable> {
        let mut ssh = Self {
            server: None,
            binary: Tool::Sshd.path()?,
            scratch: scratch.to_owned(),
            port: free_port(),
        };
        ssh.prepare()
            .unwrap_or_else(|error| panic!("sshd: {error}"));
        ssh.again();
        Ok(ssh)
    }

    /// Ends the server with all its connections.
    pub fn stop(&mut self) {
        self.server.take();
    }

    /// Starts it once more on the same port.
    #[track_caller]
    pub fn again(&mut self) {
        let mut command = Command::new(&self.binary);
        command.args(["-D", "-e", "-f"]).arg(self.at("sshd_config"));
        if is_root() {
            command.uid(NOBODY.0).gid(NOBODY.0);
        }
        self.server = Some(Server::start(command, self.port, "Server listening"));
    }

    fn at(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }

    /// What the server may change.
    pub fn files(&self) -> PathBuf {
        self.at("files")
    }

    /// The `ssh` command with the configuration that knows the host `vault`.
    pub fn command(&self) -> Vec<String> {
        let config = self.at("ssh_config").display().to_string();
        ["ssh", "-F", &config].map(str::to_owned).to_vec()
    }

    /// A `PATH` on which `ssh` is that command.
    pub fn path(&self) -> OsString {
        let mut path = self.at("bin").into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        path
    }

    fn prepare(&self) -> std::io::Result<()> {
        fs::create_dir_all(self.files())?;
        fs::create_dir_all(self.at("bin"))?;
        for key in ["host_key", "user_key"] {
            let mut command = Command::new("ssh-keygen");
            command.args(["-q", "-t", "ed25519", "-N", "", "-f"]);
            let made = command.arg(self.at(key)).status()?;
            assert!(made.success(), "ssh-keygen: {made}");
        }
        fs::copy(self.at("user_key.pub"), self.at("authorized_keys"))?;
        let host_key = fs::read_to_string(self.at("host_key.pub"))?;
        let known = format!("vault {host_key}");
        fs::write(self.at("known_hosts"), known)?;
        let user = match is_root() {
            true => NOBODY.1.to_owned(),
            false => whoami()?,
        };
        let server = format!(
            "Port {}\nListenAddress 127.0.0.1\nHostKey {host_key}\nAuthorizedKeysFile {keys}\n\
             StrictModes no\nUsePAM yes\nPasswordAuthentication no\nPidFile none\n\
             Subsystem sftp internal-sftp\nForceCommand internal-sftp\n",
            self.port,
            host_key = self.at("host_key").display(),
            keys = self.at("authorized_keys").display(),
        );
        fs::write(self.at("sshd_config"), server)?;
        let client = format!(
            "Host vault\n HostName 127.0.0.1\n HostKeyAlias vault\n Port {}\n User {user}\n IdentityFile {}\n\
             \x20IdentitiesOnly yes\n IdentityAgent none\n UserKnownHostsFile {}\n GlobalKnownHostsFile /dev/null\n",
            self.port,
            self.at("user_key").display(),
            self.at("known_hosts").display(),
        );
        fs::write(self.at("ssh_config"), client)?;
        let wrapper = self.at("bin/ssh");
        let text = format!(
            "#!/bin/sh\nexec /usr/bin/ssh -F '{}' \"$@\"\n",
            self.at("ssh_config").display()
        );
        fs::write(&wrapper, text)?;
        fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))?;
        if is_root() {
            for name in ["files", "host_key", "authorized_keys", "sshd_config"] {
                chown(self.at(name), Some(NOBODY.0), Some(NOBODY.0))?;
            }
            // Temporary folders are their owner's alone.
            fs::set_permissions(&self.scratch, fs::Permissions::from_mode(0o755))?;
        }
        Ok(())
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn whoami() -> std::io::Result<String> {
    let output = Command::new("id").arg("-un").output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
