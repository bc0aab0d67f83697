//! What an operator allows a task. Nothing is reachable that does not stand here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Name;

/// Read-only or read-write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Nothing changes.
    ReadOnly,
    /// Everything below may change.
    ReadWrite,
}

/// All the grants of one task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Grants {
    /// By name: the grant `logs` is `/logs` in the guest.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub dirs: BTreeMap<Name, DirGrant>,
    /// By the name of the database in `[databases]`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub databases: BTreeMap<Name, DatabaseGrant>,
    /// By the name of the repository in `[repositories]`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub repositories: BTreeMap<Name, RepositoryGrant>,
    /// By the name of the remote in `[remotes]`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub remotes: BTreeMap<Name, RemoteGrant>,
    /// Origins, one by one.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub net: BTreeSet<Origin>,
    /// By the name that the plugin asks for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<Name, SecretSource>,
    /// Signals and commands by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub processes: BTreeMap<Name, ProcessGrant>,
    /// Other tasks that may be looked at.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub tasks: BTreeSet<Name>,
    /// Channels that messages may be sent through, by the name in `[channels]`.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub channels: BTreeSet<Name>,
}

/// A directory of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirGrant {
    /// Absolute.
    pub path: PathBuf,
    /// Read-only unless said otherwise.
    #[serde(default = "read_only")]
    pub access: Access,
}

fn read_only() -> Access {
    Access::ReadOnly
}

/// A verb on a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DatabaseVerb {
    /// Information, tables, rows.
    Read,
    /// Write transactions.
    Write,
    /// A consistent copy.
    Snapshot,
    /// Give unused space back.
    Pack,
    /// Check the structure.
    Verify,
    /// Replace it by a verified copy.
    Restore,
    /// Write what is sound in it, damaged, to a new file.
    Recover,
}

/// Verbs on a managed database, perhaps only on some of its tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseGrant {
    /// One by one.
    pub verbs: BTreeSet<DatabaseVerb>,
    /// The tables that rows may be read from and written to; all where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tables: Option<BTreeSet<String>>,
}

/// A verb on a backup repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RepositoryVerb {
    /// Create the repository, add snapshots.
    Append,
    /// List and restore.
    Read,
    /// Remove snapshots.
    Forget,
    /// Remove data that nothing refers to.
    Prune,
    /// Check structure and data.
    Check,
    /// List, add and remove the keys of passwords.
    Keys,
}

/// Verbs on a backup repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepositoryGrant {
    /// One by one.
    pub verbs: BTreeSet<RepositoryVerb>,
    /// The secret grant that holds the password.
    #[serde(default = "repository_password")]
    pub password: Name,
}

/// The secret's name when the grant does not say: `repo`.
pub fn repository_password() -> Name {
    "repo"
        .parse()
        .unwrap_or_else(|_| unreachable!("a valid name"))
}

/// Access to a remote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteGrant {
    /// Read-only unless said otherwise.
    #[serde(default = "read_only")]
    pub access: Access,
}

/// Where a secret's value comes from; exactly one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum SecretSource {
    /// The content of a file, without a trailing line end.
    File(PathBuf),
    /// A variable of mhost's own environment.
    Env(String),
    /// A credential of the service manager, in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
}

/// Something that a task may do to processes of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ProcessGrant {
    /// A signal to the process whose id stands in a file.
    Signal(SignalGrant),
    /// A command with fixed arguments.
    Command(CommandGrant),
}

/// `{ pid_file = "/run/nginx.pid", signal = "USR1" }`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalGrant {
    /// Holds the process id in its first line.
    pub pid_file: PathBuf,
    /// Without `SIG`.
    pub signal: Signal,
}

/// The signals that daemons take for "reopen your log" and the like; none that
/// ends a process by definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Signal {
    Hup,
    Usr1,
    Usr2,
    Winch,
    /// None is sent: the grant only lets it be seen whether the process lives.
    None,
}

/// `{ command = ["/usr/sbin/nginx", "-s", "reopen"] }`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandGrant {
    /// An absolute path and its arguments.
    pub command: Vec<String>,
}

/// What a network grant is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    Http,
    Https,
    Tcp,
    Tls,
    Dns,
    /// Echo requests.
    Icmp,
}

impl Scheme {
    /// As it stands before `://`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Dns => "dns",
            Self::Icmp => "icmp",
        }
    }

    /// The port that need not be written.
    pub fn default_port(self) -> Option<u16> {
        match self {
            Self::Http => Some(80),
            Self::Https => Some(443),
            Self::Dns => Some(53),
            // There are no ports.
            Self::Icmp => Some(0),
            Self::Tcp | Self::Tls => None,
        }
    }
}

/// A network peer: `https://example.org`, `http://127.0.0.1:8080`,
/// `tcp://db.example.org:5432`, `tls://mail.example.org:993`, `dns://example.org`,
/// `icmp://gateway`.
/// Granting an origin whose host is written as an address, or is `localhost`, grants
/// that address even where it is private; a name never reaches a private one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin {
    pub scheme: Scheme,
    /// Lower case; an IPv6 address without its brackets.
    pub host: String,
    pub port: u16,
}

/// Why a text is no [`Origin`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{text}` is not an origin ({why}): write scheme, host and port, such as `https://example.org` or `tcp://db.example.org:5432`"
)]
pub struct OriginError {
    text: String,
    why: &'static str,
}

impl FromStr for Origin {
    type Err = OriginError;
    fn from_str(text: &str) -> Result<Self, OriginError> {
        let error = |why| OriginError {
            text: text.chars().take(120).collect(),
            why,
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| error("no `://`"))?;
        let scheme = match scheme {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            "tcp" => Scheme::Tcp,
            "tls" => Scheme::Tls,
            "dns" => Scheme::Dns,
            "icmp" => Scheme::Icmp,
            _ => {
                return Err(error(
                    "the scheme is none of http, https, tcp, tls, dns, icmp",
                ));
            }
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#', '@']) {
            return Err(error("it is more than scheme, host and port"));
        }
        let (host, port) = split_authority(rest).map_err(error)?;
        let port = match port {
            Some(_) if scheme.default_port() == Some(0) => return Err(error("it has no port")),
            Some(port) => port,
            None => scheme.default_port().ok_or_else(|| error("no port"))?,
        };
        Ok(Self { scheme, host, port })
    }
}

/// `host`, `host:port`, `[v6]`, `[v6]:port`.
fn split_authority(text: &str) -> Result<(String, Option<u16>), &'static str> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or("no `]`")?;
        let address: Ipv6Addr = host
            .parse()
            .map_err(|_| "no IPv6 address in the brackets")?;
        // One spelling of an address: `::ffff:127.0.0.1` is 127.0.0.1 over IPv6.
        let host = address.to_canonical().to_string();
        match after.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if after.is_empty() => (host, None),
            None => return Err("text after `]`"),
        }
    } else {
        match text.split_once(':') {
            Some((host, port)) => (host.to_owned(), Some(port)),
            None => (text.to_owned(), None),
        }
    };
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b':');
    if host.is_empty() || host.len() > 253 || !host.bytes().all(fits) {
        return Err("no host, or one with characters that a host name has not");
    }
    if ends_in_a_number(&host) && host.parse::<Ipv4Addr>().is_err() {
        return Err("an IPv4 address is written as four decimal numbers");
    }
    let port = match port {
        Some(port) => Some(
            port.parse()
                .ok()
                .filter(|p| *p > 0)
                .ok_or("the port is no number from 1 to 65535")?,
        ),
        None => None,
    };
    Ok((host, port))
}

/// Resolvers take `127.1`, `0x7f000001` and `2130706433` for addresses: by the rule of the
/// URL standard, whatever ends in a number is one.
fn ends_in_a_number(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or(host);
    let hexadecimal = last.strip_prefix("0x");
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    !host.contains(':')
        && hexadecimal.map_or(digits(last), |rest| {
            rest.bytes().all(|b| b.is_ascii_hexdigit())
        })
}

impl TryFrom<String> for Origin {
    type Error = OriginError;
    fn try_from(text: String) -> Result<Self, OriginError> {
        text.parse()
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.to_string()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port } = self;
        write!(f, "{}://", scheme.as_str())?;
        if host.contains(':') {
            write!(f, "[{host}]")?;
        } else {
            f.write_str(host)?;
        }
        if scheme.default_port() == Some(*port) {
            Ok(())
        } else {
            write!(f, ":{port}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        for (text, canonical) in [
            ("https://Example.org", "https://example.org"),
            ("https://example.org:443/", "https://example.org"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://[::1]:80", "http://[::1]"),
            ("tcp://db:5432", "tcp://db:5432"),
            ("icmp://[::1]", "icmp://[::1]"),
            ("http://[0:0:0::1]:81", "http://[::1]:81"),
            ("http://[::FFFF:127.0.0.1]", "http://127.0.0.1"),
            ("http://[2001:DB8:0:0:0:0:0:1]", "http://[2001:db8::1]"),
            ("http://node1.0xy", "http://node1.0xy"),
            ("http://127.0.0.1.", "http://127.0.0.1"),
        ] {
            let origin: Origin = text.parse().unwrap();
            assert_eq!(origin.to_string(), canonical);
            assert_eq!(origin.to_string().parse(), Ok(origin));
        }
        for bad in [
            "example.org",
            "ftp://a",
            "tcp://a",
            "http://",
            "http://a/b",
            "http://u@a",
            "http://a:0",
            "http://[::1",
            "http://*",
            "icmp://a:1",
            "http://2130706433",
            "http://127.1",
            "http://0x7f000001",
            "http://0x7f.0.0.1",
            "http://127.0.0.01",
            "http://host.0x",
        ] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }
}
