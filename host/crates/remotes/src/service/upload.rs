//! Files that are sent piece by piece.
//!
//! An object store takes parts, and shows the whole when it is closed. A WebDAV server takes
//! one request and shows what it has of it: so the request runs beside the writer, goes to a
//! name beside the file's place, and is moved there at the end.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::SinkExt as _;
use futures::channel::mpsc::{Sender, channel};
use mhost_model::ports::remote::Writer;
use mhost_model::{Fault, FaultResult};
use reqwest::{Body, Client};
use tokio::task::JoinHandle;

use super::{Service, fault};
use crate::Login;
use crate::http::said;
use crate::path::lost;
use crate::url::Site;
use crate::worker::Worker;

/// Pieces on the way to the request.
const AHEAD: usize = 8;
/// Until a server that has everything says so.
const ANSWER: Duration = Duration::from_secs(600);

/// Sends files as streams.
#[derive(Debug, Clone)]
pub(crate) struct Put {
    client: Client,
    site: Site,
    login: Option<Login>,
}

impl Put {
    pub fn new(client: Client, site: Site, login: Option<Login>) -> Self {
        Self {
            client,
            site,
            login,
        }
    }

    fn request(&self, path: &str, body: Body) -> FaultResult<reqwest::RequestBuilder> {
        let mut url = self.site.url.clone();
        let segments = url.path_segments_mut();
        segments
            .map_err(|()| Fault::Invalid("the `webdav:` URL has no path".into()))?
            .pop_if_empty()
            .extend(path.split('/'));
        let request = self.client.put(url).body(body);
        Ok(match &self.login {
            Some(login) => request.basic_auth(&login.user, Some(&login.secret)),
            None => request,
        })
    }
}

/// On its way.
pub(super) enum Sending {
    Piecewise(opendal::Writer),
    Aside {
        path: String,
        pieces: Sender<Result<Bytes, std::io::Error>>,
        answer: JoinHandle<Result<(), String>>,
    },
}

impl Sending {
    /// Begins the request.
    pub fn aside(put: &Put, path: &str, worker: &Worker) -> FaultResult<Self> {
        let (pieces, body) = channel(AHEAD);
        let request = put.request(path, Body::wrap_stream(body))?;
        let answer = worker.runtime()?.spawn(async move {
            let response = request.send().await.map_err(|error| said(&error))?;
            match response.status() {
                status if status.is_success() => Ok(()),
                status => Err(format!("the server answers {status}")),
            }
        });
        Ok(Self::Aside {
            path: path.to_owned(),
            pieces,
            answer,
        })
    }

    async fn send(&mut self, data: &[u8], path: &str) -> FaultResult<()> {
        match self {
            Self::Piecewise(writer) => writer
                .write(data.to_vec())
                .await
                .map_err(|error| fault("write", path, error)),
            Self::Aside { pieces, answer, .. } => {
                let sent = pieces.send(Ok(Bytes::copy_from_slice(data))).await;
                match sent {
                    Ok(()) => Ok(()),
                    // The request ended before everything was sent.
                    Err(_) => Err(ended(answer.await, path)),
                }
            }
        }
    }
}

fn ended(answer: Result<Result<(), String>, tokio::task::JoinError>, path: &str) -> Fault {
    let why = match answer {
        Ok(Err(why)) => why,
        Ok(Ok(())) => "the server did not wait for the end".to_owned(),
        Err(error) => error.to_string(),
    };
    Fault::Failed(format!("cannot write `{path}`: {why}"))
}

/// A file being sent; dropping it unfinished takes it back.
pub(super) struct Upload {
    service: Service,
    sending: Option<Sending>,
    path: String,
    written: u64,
}

impl Upload {
    pub fn new(service: Service, path: &str, sending: Sending) -> Self {
        Self {
            service,
            sending: Some(sending),
            path: path.to_owned(),
            written: 0,
        }
    }

    fn worker(&self) -> Arc<Worker> {
        Arc::clone(&self.service.worker)
    }
}

impl Writer for Upload {
    fn write(&mut self, data: &[u8]) -> FaultResult<()> {
        let worker = self.worker();
        let sending = self.sending.take();
        let mut sending = sending.ok_or_else(|| lost(&self.path))?;
        let sent = worker.run(sending.send(data, &self.path))?;
        match (&sent, sending) {
            // What ran to its end with an error is not waited for again.
            (Err(_), Sending::Aside { path, .. }) => take_back(&self.service, path),
            (_, sending) => self.sending = Some(sending),
        }
        self.written += data.len() as u64;
        sent
    }

    fn finish(mut self: Box<Self>) -> FaultResult<u64> {
        let worker = self.worker();
        let failed = |error| fault("write", &self.path, error);
        match self.sending.take().ok_or_else(|| lost(&self.path))? {
            Sending::Piecewise(mut writer) => {
                worker.run(writer.close())?.map_err(failed)?;
            }
            Sending::Aside {
                path,
                pieces,
                answer,
            } => {
                drop(pieces);
                let placed = worker.run(async {
                    match tokio::time::timeout(ANSWER, answer).await {
                        Ok(Ok(Ok(()))) => {}
                        Ok(answer) => return Err(ended(answer, &self.path)),
                        Err(_) => {
                            let text = format!("cannot write `{}`: no answer in time", self.path);
                            return Err(Fault::TimedOut(text));
                        }
                    }
                    let moved = self.service.operator.rename(&path, &self.path).await;
                    moved.map(drop).map_err(failed)
                })?;
                if placed.is_err() {
                    take_back(&self.service, path);
                }
                placed?;
            }
        }
        Ok(self.written)
    }
}

/// Not waited for: this may be an async thread.
fn take_back(service: &Service, path: String) {
    let operator = service.operator.clone();
    if let Ok(runtime) = service.worker.runtime() {
        runtime.spawn(async move { operator.delete(&path).await });
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        match self.sending.take() {
            Some(Sending::Piecewise(mut writer)) => {
                if let Ok(runtime) = self.service.worker.runtime() {
                    runtime.spawn(async move { writer.abort().await });
                }
            }
            Some(Sending::Aside {
                path,
                answer,
                mut pieces,
            }) => {
                // The request must not end as if this were all.
                let cut = std::io::Error::other("not finished");
                let _ = pieces.try_send(Err(cut));
                answer.abort();
                take_back(&self.service, path);
            }
            None => {}
        }
    }
}
