//! The protocol of restic's REST server: a repository's files, whole, by their kind and name
//! (see "REST Backend" in restic's documentation). There are no other files and no folders
//! there, so it serves repositories alone.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mhost_model::ports::remote::{Entry, Metadata, Remote, Writer};
use mhost_model::{Fault, FaultResult};
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, RANGE, SERVER};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde::Deserialize;

use crate::http::said;
use crate::path::{check, check_folder, split};
use crate::url::Site;
use crate::worker::{Trouble, Worker, patiently};
use crate::{CHUNK, Login, check_limit};

/// One request without a body.
const REQUEST: Duration = Duration::from_secs(60);
/// Bytes a second that a connection carries at least.
const SLOWEST: u64 = 16 << 10;
/// Listings with sizes.
const VERSION_2: &str = "application/vnd.x.restic.rest.v2";
/// A repository's kinds of files that are listed.
const KINDS: [&str; 5] = ["data", "index", "keys", "locks", "snapshots"];
/// A file of a repository is hardly larger.
const LARGEST: u64 = 256 << 20;
/// A listing of ten million packs.
const LONGEST_LISTING: usize = 1 << 30;

/// A repository on a REST server.
pub(crate) struct Rest {
    client: Client,
    site: Site,
    login: Option<Login>,
    worker: Arc<Worker>,
}

#[derive(Deserialize)]
struct Listed {
    name: String,
    size: u64,
}

impl Rest {
    pub fn new(client: Client, site: Site, login: Option<Login>, worker: Arc<Worker>) -> Self {
        Self {
            client,
            site,
            login,
            worker,
        }
    }

    /// `config`, a kind and a name, where packs lie in no folders, or a kind and a slash for all
    /// of it.
    fn request(&self, method: Method, path: &str, bytes: u64) -> FaultResult<RequestBuilder> {
        let (kind, name) = match path.split_once('/') {
            None => (path, ""),
            Some((kind, rest)) => (kind, split(rest).1),
        };
        let place = match path.contains('/') {
            false => kind.to_owned(),
            true => format!("{kind}/{name}"),
        };
        let url = self.site.url.join(&place);
        let url = url.map_err(|_| Fault::Invalid(format!("`{path}` is no repository's file")))?;
        let time = REQUEST + Duration::from_secs(bytes / SLOWEST);
        let request = self.client.request(method, url).timeout(time);
        Ok(match &self.login {
            Some(login) => request.basic_auth(&login.user, Some(&login.secret)),
            None => request,
        })
    }

    /// Sends it as often as that may help, and reads the answer.
    fn run<T>(
        &self,
        doing: &str,
        path: &str,
        request: impl Fn() -> FaultResult<RequestBuilder>,
        read: impl AsyncFn(Response) -> Result<T, reqwest::Error>,
    ) -> FaultResult<T> {
        let server = self.site.url.origin().ascii_serialization();
        let failed = |error: &reqwest::Error| {
            let text = format!("cannot {doing} `{path}` at {server}: {}", said(error));
            Trouble::passing(match error.is_timeout() {
                true => Fault::TimedOut(text),
                false => Fault::Failed(text),
            })
        };
        self.worker.run(patiently(async || {
            let request = request().map_err(Trouble::lasting)?;
            let response = request.send().await.map_err(|error| failed(&error))?;
            let status = response.status();
            if status.is_success() || is_empty_folder(&response) {
                return read(response).await.map_err(|error| failed(&error));
            }
            let body = response.bytes().await.unwrap_or_default();
            Err(refused(doing, path, &server, status, &body))
        }))?
    }

    fn list_kind(&self, kind: &str) -> FaultResult<Vec<Entry>> {
        let place = format!("{kind}/");
        let body = self.run(
            "list",
            kind,
            || {
                let request = self.request(Method::GET, &place, LONGEST_LISTING as u64 / 64)?;
                Ok(request.header(ACCEPT, VERSION_2))
            },
            async |mut response| {
                if is_empty_folder(&response) {
                    return Ok((true, b"[]".to_vec()));
                }
                let second = response
                    .headers()
                    .get(CONTENT_TYPE)
                    .is_some_and(|kind| kind == VERSION_2);
                let mut body = Vec::new();
                while let Some(piece) = response.chunk().await? {
                    body.extend_from_slice(&piece);
                    if body.len() > LONGEST_LISTING {
                        break;
                    }
                }
                Ok((second, body))
            },
        )?;
        let listed: Vec<Listed> = match body {
            (true, body) => serde_json::from_slice(&body).map_err(|error| {
                Fault::Failed(format!(
                    "cannot list `{kind}`: the server's answer: {error}"
                ))
            })?,
            (false, _) => {
                return Err(Fault::Unsupported(format!(
                    "cannot list `{kind}`: the server does not speak version 2 of restic's REST protocol"
                )));
            }
        };
        Ok(listed.into_iter().map(|one| entry(kind, one)).collect())
    }
}

/// rclone, which serves by this protocol too, has no folders without files; restic makes the same
/// exception. Of any other server's it would be a listing that overlooks something.
fn is_empty_folder(response: &Response) -> bool {
    let server = response.headers().get(SERVER);
    let rclone = server.is_some_and(|name| name.as_bytes().starts_with(b"rclone/"));
    let folder = response.url().path().ends_with('/');
    rclone && folder && response.status() == StatusCode::NOT_FOUND
}

fn entry(kind: &str, listed: Listed) -> Entry {
    let name = listed.name;
    let path = match (kind, name.get(..2)) {
        ("data", Some(begin)) => format!("data/{begin}/{name}"),
        _ => format!("{kind}/{name}"),
    };
    Entry {
        path,
        metadata: file(listed.size),
    }
}

fn file(size: u64) -> Metadata {
    Metadata {
        directory: false,
        size,
        modified: None,
        etag: None,
    }
}

fn refused(doing: &str, path: &str, server: &str, status: StatusCode, body: &[u8]) -> Trouble {
    let body = String::from_utf8_lossy(&body[..body.len().min(200)]);
    let body = body.lines().next().unwrap_or_default().trim();
    let text = format!("cannot {doing} `{path}` at {server}: {status} {body}");
    let text = text.trim_end();
    match status {
        StatusCode::RANGE_NOT_SATISFIABLE => Trouble::lasting(Fault::Invalid(text.to_owned())),
        StatusCode::NOT_FOUND => Trouble::lasting(Fault::NotFound(text.to_owned())),
        StatusCode::UNAUTHORIZED => Trouble::lasting(Fault::Failed(format!(
            "{text}: the server's `user` and `secret` are missing or were not accepted"
        ))),
        StatusCode::FORBIDDEN => Trouble::lasting(Fault::Failed(format!(
            "{text}: the server does not allow it, perhaps because it only lets files be added"
        ))),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
            Trouble::passing(Fault::Busy(format!("{text}: try again later")))
        }
        status if status.is_server_error() && status != StatusCode::INSUFFICIENT_STORAGE => {
            Trouble::passing(Fault::Failed(text.to_owned()))
        }
        _ => Trouble::lasting(Fault::Failed(text.to_owned())),
    }
}

impl Remote for Rest {
    fn list(
        &self,
        path: &str,
        _recursive: bool,
        after: Option<&str>,
        limit: u32,
    ) -> FaultResult<Vec<Entry>> {
        let limit = check_limit(limit)?;
        let mut all = self.list_all(path)?;
        all.retain(|entry| Some(entry.path.as_str()) > after);
        all.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        all.truncate(limit);
        Ok(all)
    }

    fn list_all(&self, path: &str) -> FaultResult<Vec<Entry>> {
        let folder = check_folder(path)?;
        if !folder.is_empty() {
            return self.list_kind(folder);
        }
        let mut all = Vec::new();
        if let Ok(config) = self.stat("config") {
            all.push(Entry {
                path: "config".to_owned(),
                metadata: config,
            });
        }
        for kind in KINDS {
            match self.list_kind(kind) {
                Err(Fault::NotFound(_)) => {}
                listed => all.extend(listed?),
            }
        }
        Ok(all)
    }

    fn stat(&self, path: &str) -> FaultResult<Metadata> {
        let path = check(path)?;
        self.run(
            "look at",
            path,
            || self.request(Method::HEAD, path, 0),
            async |response| {
                let length = response.headers().get(CONTENT_LENGTH);
                let length = length.and_then(|text| text.to_str().ok()?.parse().ok());
                Ok(file(length.unwrap_or(0)))
            },
        )
    }

    fn read(&self, path: &str, offset: u64, length: u32) -> FaultResult<Vec<u8>> {
        self.read_range(path, offset, u64::from(length.min(CHUNK)))
    }

    fn read_range(&self, path: &str, offset: u64, length: u64) -> FaultResult<Vec<u8>> {
        let path = check(path)?;
        if length == 0 {
            return Ok(Vec::new());
        }
        let whole = offset == 0 && length == u64::MAX;
        let end = offset.saturating_add(length);
        let range = format!("bytes={offset}-{}", end - 1);
        let read = self.run(
            "read",
            path,
            || {
                let request = self.request(Method::GET, path, length.min(LARGEST))?;
                Ok(match whole {
                    true => request,
                    false => request.header(RANGE, &range),
                })
            },
            async |response| {
                let partial = response.status() == StatusCode::PARTIAL_CONTENT;
                Ok((partial, response.bytes().await?))
            },
        );
        match read {
            // Nothing is there any more.
            Err(Fault::Invalid(_)) => Ok(Vec::new()),
            Ok((partial, bytes)) if partial || whole => Ok(bytes.into()),
            // The server took no notice of the range.
            Ok((_, bytes)) => {
                let at = |place: u64| {
                    usize::try_from(place).map_or(bytes.len(), |place| place.min(bytes.len()))
                };
                Ok(bytes[at(offset)..at(end)].to_vec())
            }
            Err(fault) => Err(fault),
        }
    }

    fn write(&self, _path: &str) -> FaultResult<Box<dyn Writer>> {
        Err(Fault::Unsupported(
            "a REST server takes a repository's files, whole".to_owned(),
        ))
    }

    fn write_all(&self, path: &str, content: &[Bytes]) -> FaultResult<()> {
        let path = check(path)?;
        let body = Bytes::from(content.concat());
        let sent = self.run(
            "write",
            path,
            || {
                let request = self.request(Method::POST, path, body.len() as u64)?;
                Ok(request
                    .header(CONTENT_TYPE, "application/octet-stream")
                    .body(body.clone()))
            },
            async |_| Ok(()),
        );
        match sent {
            // A try whose answer was lost may have succeeded.
            Err(Fault::Failed(why)) => match self.stat(path) {
                Ok(found) if found.size == body.len() as u64 => Ok(()),
                _ => Err(Fault::Failed(why)),
            },
            sent => sent,
        }
    }

    fn rename(&self, _source: &str, _target: &str) -> FaultResult<()> {
        Err(Fault::Unsupported("a REST server renames nothing".into()))
    }

    fn delete(&self, path: &str) -> FaultResult<()> {
        let path = check(path)?;
        let request = || self.request(Method::DELETE, path, 0);
        match self.run("delete", path, request, async |_| Ok(())) {
            Err(Fault::NotFound(_)) => Ok(()),
            deleted => deleted,
        }
    }

    /// The server makes all folders of a repository at once.
    fn create_directory(&self, _path: &str) -> FaultResult<()> {
        let request = || {
            let mut url = self.site.url.clone();
            url.set_query(Some("create=true"));
            let request = self.client.post(url).timeout(REQUEST);
            Ok(match &self.login {
                Some(login) => request.basic_auth(&login.user, Some(&login.secret)),
                None => request,
            })
        };
        self.run("create", "the repository", request, async |_| Ok(()))
    }
}
