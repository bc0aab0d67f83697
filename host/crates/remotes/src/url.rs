//! What a remote's URL means. The forms of `sftp:`, `s3:` and `rest:` are restic's, so
//! that a repository is called the same here and there.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use mhost_model::{Fault, FaultResult, Name};
use url::Url;

/// Where a remote is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    /// A directory's absolute path.
    Folder(PathBuf),
    /// A store in this process's memory, shared by name.
    Memory(Name),
    S3(Bucket),
    WebDav(Site),
    /// restic's REST server: for repositories alone.
    Rest(Site),
    Sftp(Server),
}

/// A bucket of an S3 server, or a folder of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bucket {
    /// `https://HOST[:PORT]`
    pub endpoint: String,
    pub name: String,
    /// Below the bucket, without slashes at its ends; empty for the whole.
    pub folder: String,
}

/// A folder of an HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Site {
    /// Without a user; the path ends with a slash.
    pub url: Url,
    /// Who stands before the host in the URL.
    pub user: Option<String>,
}

/// A folder of an SFTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    pub user: Option<String>,
    pub host: String,
    pub port: Option<u16>,
    /// Absolute, or from the folder that the server begins in.
    pub path: String,
}

const KNOWN: &str = "known are an absolute path, `file:///path`, `sftp:USER@HOST:/path`, `s3:https://HOST/BUCKET`, `webdav:https://HOST/path`, and `memory:NAME`, which lasts as long as mhost runs";

impl Location {
    pub fn parse(url: &str) -> FaultResult<Self> {
        if url.starts_with('/') {
            return folder(PathBuf::from(url));
        }
        // The URL is not repeated: it may hold a password.
        match url.split_once(':') {
            Some(("file", rest)) => file(rest),
            Some(("memory", name)) => name
                .parse()
                .map(Self::Memory)
                .map_err(|error| Fault::Invalid(format!("in `memory:NAME`, {error}"))),
            Some(("s3", rest)) => bucket(rest).map(Self::S3),
            Some(("webdav", rest)) => site("webdav", rest).map(Self::WebDav),
            Some(("rest", rest)) => site("rest", rest).map(Self::Rest),
            Some(("sftp", rest)) => server(rest).map(Self::Sftp),
            Some(("http" | "https", _)) => Err(Fault::Unsupported(
                "an HTTP server can be many things: write `webdav:https://…`, `s3:https://…`, or \
                 `rest:https://…`"
                    .into(),
            )),
            Some((scheme, _)) if is_scheme(scheme) => Err(Fault::Unsupported(format!(
                "`{scheme}:` is no kind of remote that this mhost has: {KNOWN}"
            ))),
            _ => Err(Fault::Invalid(format!(
                "the remote's URL has no scheme: {KNOWN}"
            ))),
        }
    }
}

fn is_scheme(text: &str) -> bool {
    let rest = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    text.len() <= 32
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(rest)
}

/// `///path`, `//localhost/path` or `/path`, percent-encoded.
fn file(rest: &str) -> FaultResult<Location> {
    let encoded = match rest.strip_prefix("//") {
        Some(local) => local.strip_prefix("localhost").unwrap_or(local),
        None => rest,
    };
    if !encoded.starts_with('/') {
        return Err(Fault::Invalid(
            "a `file:` remote is a folder of this machine: write `file:///path`".into(),
        ));
    }
    let bytes: Vec<u8> = percent_encoding::percent_decode_str(encoded).collect();
    folder(PathBuf::from(OsStr::from_bytes(&bytes)))
}

fn folder(path: PathBuf) -> FaultResult<Location> {
    if path.as_os_str().as_bytes().contains(&0) {
        return Err(Fault::Invalid(
            "the remote's path has a NUL character".into(),
        ));
    }
    Ok(Location::Folder(path))
}

fn decoded(text: &str) -> FaultResult<String> {
    let text = percent_encoding::percent_decode_str(text).decode_utf8();
    let text = text.map_err(|_| Fault::Invalid("the URL has bytes that are not UTF-8".into()))?;
    match text.contains(['\0', '\n', '\r']) {
        true => Err(Fault::Invalid(
            "the URL has a character that no name may have".into(),
        )),
        false => Ok(text.into_owned()),
    }
}

/// `https://HOST/BUCKET/folder`, `//HOST/BUCKET/folder` or `HOST/BUCKET/folder`.
fn bucket(rest: &str) -> FaultResult<Bucket> {
    let form = "write `s3:https://HOST/BUCKET`, with a folder behind it where wanted";
    let wrong = |why: &str| Fault::Invalid(format!("the `s3:` URL {why}: {form}"));
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let whole = match rest.contains("://") {
        true => rest.to_owned(),
        false => format!("https://{rest}"),
    };
    let Site { url, user } = http(&whole).map_err(|why| wrong(&why))?;
    if user.is_some() {
        return Err(wrong("names a user, which belongs into `user`"));
    }
    let path = decoded(url.path())?;
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    let Some(name) = parts.next() else {
        return Err(wrong("names no bucket"));
    };
    let folder: Vec<&str> = parts.collect();
    if folder.iter().any(|part| matches!(*part, "." | "..")) {
        return Err(wrong("climbs with `.` or `..`"));
    }
    Ok(Bucket {
        endpoint: url.origin().ascii_serialization(),
        name: name.to_owned(),
        folder: folder.join("/"),
    })
}

fn site(scheme: &str, rest: &str) -> FaultResult<Site> {
    http(rest).map_err(|why| {
        Fault::Invalid(format!(
            "the `{scheme}:` URL {why}: write `{scheme}:https://HOST/path`"
        ))
    })
}

/// Why it cannot be, or the site.
fn http(text: &str) -> Result<Site, String> {
    let mut url = Url::parse(text).map_err(|error| format!("cannot be read ({error})"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("is neither `http` nor `https`".into());
    }
    if url.password().is_some() {
        return Err("holds a password, which belongs into `secret`".into());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("holds `?` or `#`".into());
    }
    let user = match url.username() {
        "" => None,
        user => Some(decoded(user).map_err(|_| "names a user that is none")?),
    };
    let path = format!("{}/", url.path().trim_end_matches('/'));
    url.set_path(&path);
    url.set_username("").map_err(|()| "names a user")?;
    Ok(Site { url, user })
}

/// `//USER@HOST:PORT/path`, where the path begins in the user's folder unless a second slash
/// begins it, or `USER@HOST:path`.
fn server(rest: &str) -> FaultResult<Server> {
    let form = "write `sftp:USER@HOST:/path` or `sftp://USER@HOST:PORT//path`";
    let wrong = |why: &str| Fault::Invalid(format!("the `sftp:` URL {why}: {form}"));
    let (user, host, port, path) = match rest.strip_prefix("//") {
        Some(rest) => {
            let (at, path) = rest.split_once('/').unwrap_or((rest, ""));
            let (user, at) = split_user(at);
            let (host, port) = split_port(at).ok_or_else(|| wrong("has a port that is none"))?;
            (user, host, port, decoded(path)?)
        }
        None => {
            let end = match rest.find(']') {
                Some(bracket) => rest[bracket..].find(':').map(|at| bracket + at),
                None => rest.find(':'),
            };
            let at = end.ok_or_else(|| wrong("names no path"))?;
            let (user, host) = split_user(&rest[..at]);
            (user, host, None, decoded(&rest[at + 1..])?)
        }
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let user = user.map(decoded).transpose()?;
    if user.as_deref().is_some_and(|user| user.contains(':')) {
        return Err(wrong(
            "holds a password: ssh logs in by keys, an agent, or its own configuration",
        ));
    }
    if host.is_empty() || host.starts_with('-') || host.contains(['/', ' ', '\0', '\n']) {
        return Err(wrong("names no host"));
    }
    let slash = if path.starts_with('/') { "/" } else { "" };
    let path = match path.trim_matches('/') {
        "" if slash.is_empty() => ".".to_owned(),
        inner => format!("{slash}{inner}"),
    };
    Ok(Server {
        user,
        host: host.to_owned(),
        port,
        path,
    })
}

fn split_user(text: &str) -> (Option<&str>, &str) {
    match text.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, text),
    }
}

fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => Some((host, Some(port.parse().ok()?))),
        _ => Some((text, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations() {
        for (url, path) in [
            ("/srv/files", "/srv/files"),
            ("/srv/a%20b", "/srv/a%20b"),
            ("file:///srv/files", "/srv/files"),
            ("file:/srv/files", "/srv/files"),
            ("file://localhost/srv/files", "/srv/files"),
            ("file:///srv/a%20b", "/srv/a b"),
        ] {
            let expected = Location::Folder(path.into());
            assert_eq!(Location::parse(url), Ok(expected), "{url}");
        }
        let memory = Location::Memory("test".parse().unwrap());
        assert_eq!(Location::parse("memory:test"), Ok(memory));
    }

    #[test]
    fn buckets() {
        for (url, endpoint, name, folder) in [
            ("s3:https://h.org/b", "https://h.org", "b", ""),
            ("s3:http://h:9000/b/c/d/", "http://h:9000", "b", "c/d"),
            ("s3:s3.amazonaws.com/b", "https://s3.amazonaws.com", "b", ""),
            ("s3://h.org/b/a%20b", "https://h.org", "b", "a b"),
        ] {
            let (endpoint, name, folder) = (endpoint.into(), name.into(), folder.into());
            let expected = Bucket {
                endpoint,
                name,
                folder,
            };
            assert_eq!(Location::parse(url), Ok(Location::S3(expected)), "{url}");
        }
    }

    #[test]
    fn sites() {
        let Ok(Location::Rest(site)) = Location::parse("rest:http://me@h:8000/a/b") else {
            panic!("no site");
        };
        assert_eq!(site.url.as_str(), "http://h:8000/a/b/");
        assert_eq!(site.user.as_deref(), Some("me"));
        let Ok(Location::WebDav(site)) = Location::parse("webdav:https://h") else {
            panic!("no site");
        };
        assert_eq!((site.url.as_str(), site.user), ("https://h/", None));
    }

    #[test]
    fn servers() {
        for (url, user, host, port, path) in [
            ("sftp:me@h:/srv/a", Some("me"), "h", None, "/srv/a"),
            ("sftp:h:a/b/", None, "h", None, "a/b"),
            ("sftp:h:", None, "h", None, "."),
            ("sftp:me@[::1]:/a", Some("me"), "::1", None, "/a"),
            ("sftp://me@h/a", Some("me"), "h", None, "a"),
            ("sftp://h:2222//srv/a", None, "h", Some(2222), "/srv/a"),
            ("sftp://[::1]:2222//a", None, "::1", Some(2222), "/a"),
            ("sftp://h//", None, "h", None, "/"),
        ] {
            let expected = Server {
                user: user.map(str::to_owned),
                host: host.into(),
                port,
                path: path.into(),
            };
            assert_eq!(Location::parse(url), Ok(Location::Sftp(expected)), "{url}");
        }
    }

    #[test]
    fn mistakes_say_what_is_known() {
        for (url, word) in [
            ("ftp://host/a", "`ftp:` is no kind"),
            ("https://host/a", "webdav:https://"),
            ("srv/files", "no scheme"),
            ("", "no scheme"),
            ("file://otherhost/srv", "this machine"),
            ("file:relative", "this machine"),
            ("file:///a%00b", "NUL"),
            ("memory:", "not a valid name"),
            ("memory:A B", "not a valid name"),
            ("me@host:/srv", "no scheme"),
            ("s3:https://h", "names no bucket"),
            ("s3:ftp://h/b", "neither"),
            ("s3:https://me:secret@h/b", "belongs into `secret`"),
            ("s3:https://me@h/b", "belongs into `user`"),
            ("webdav:h/b", "cannot be read"),
            ("rest:http://me:secret@h/", "belongs into `secret`"),
            ("rest:http://h/?secret", "holds `?`"),
            ("sftp://me:secret@h/a", "holds a password"),
            ("sftp:h", "names no path"),
            ("sftp://-oProxyCommand=secret/a", "names no host"),
            ("sftp:-oProxyCommand=secret:/a", "names no host"),
            ("sftp://h:port/a", "port"),
        ] {
            let fault = Location::parse(url).unwrap_err().to_string();
            assert!(fault.contains(word), "{url}: {fault}");
            let said = fault.replace("`secret`", "");
            assert!(!said.contains("secret"), "{fault}");
        }
    }
}
