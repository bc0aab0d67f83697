//! Items of other mhosts over HTTP, for the queues that tasks declare in `receive`: what
//! arrives is put into the queue's `IMPORT/TO_PROCESS`, and is acknowledged only once it is
//! whole and durable there. What an item asks for is not looked at here; the task that
//! imports it does, in its sandbox.
//!
//! A queue's token opens that queue alone, and the token of the service opens none. Items
//! come in pieces (a partial PUT of RFC 9110), so a request is never large, and one that was
//! cut off goes on where it ended. What the whole item must be is said by `repr-digest`
//! (RFC 9530).
//!
//! | request | answer |
//! | --- | --- |
//! | `POST /v1/receive/TASK/QUEUE` with `{"items": [NAME, …]}` | 200, what became of those that are known |
//! | `PUT /v1/receive/TASK/QUEUE/NAME`, `content-range: bytes FIRST-LAST/SIZE` | 202 the next piece, please; 201 it is there; 200 it was there before; 409 go on at `received` |
//! | the same with `content-range: bytes */SIZE` and no content | 202, how much is there |

mod headers;
mod inbox;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{DefaultBodyLimit, Json, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{post, put};
use mhost_model::Name;
use mhost_model::receive::Receiver;
use mhost_model::task::Task;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::http::{MIN_TOKEN, fingerprint};
use crate::app::App;
use crate::execute::read_secret;
use crate::exit::{Kind, Outcomes, Problem};
use inbox::{Answer, Held, Inbox, Part, Room};

/// One piece is no larger.
const PIECE: usize = 8 << 20;
/// Names in one question.
const NAMES: usize = 1000;
/// A question is no larger.
const QUESTION: usize = 1 << 20;
/// Requests that are in the memory at the same time.
const TOGETHER: usize = 8;
/// How long the content of one request may take to arrive.
const PATIENCE: Duration = Duration::from_secs(120);

type Rooms = HashMap<(Name, Name), Arc<Mutex<Room>>>;

/// What the routes share.
struct Shared {
    app: Arc<App>,
    places: Semaphore,
    /// How full each queue is, by task and queue.
    rooms: Mutex<Rooms>,
}

/// The routes.
pub fn router(app: Arc<App>) -> Router {
    let shared = Shared {
        app,
        places: Semaphore::new(TOGETHER),
        rooms: Mutex::default(),
    };
    Router::new()
        .route("/v1/receive/{task}/{queue}", post(ask))
        .route("/v1/receive/{task}/{queue}/{item}", put(take))
        .layer(DefaultBodyLimit::disable())
        .with_state(Arc::new(shared))
}

/// What a sender asks about.
#[derive(Deserialize)]
struct Asked {
    items: Vec<String>,
}

/// What became of items; those that are not known are left out.
#[derive(Serialize)]
struct Known {
    items: BTreeMap<String, Reply>,
}

/// What is said of one item.
#[derive(Debug, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
enum Reply {
    /// So many bytes of it are here.
    Partial { received: u64 },
    /// It is here whole, and not applied yet.
    Waiting,
    /// It was applied.
    Done,
    /// It could not be applied.
    Failed { reason: String },
}

impl From<Held> for Reply {
    fn from(held: Held) -> Self {
        match held {
            Held::Waiting => Self::Waiting,
            Held::Done => Self::Done,
            Held::Failed(reason) => Self::Failed { reason },
        }
    }
}

async fn ask(
    State(shared): State<Arc<Shared>>,
    Path((task, queue)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let answer = async {
        let place = shared.authorise(&task, &queue, &headers).await?;
        let body = content(body, QUESTION).await?;
        let asked: Asked = serde_json::from_slice(&body)
            .map_err(|error| Refusal::bad(format!("the question cannot be read: {error}")))?;
        if asked.items.len() > NAMES {
            return Err(Refusal::bad(format!("ask for at most {NAMES} items")));
        }
        let look = move || {
            let inbox = Inbox::open(&place)?;
            let mut items = BTreeMap::new();
            for name in asked.items {
                inbox::check_name(&name)?;
                if let Some(held) = inbox.held(&name)? {
                    items.insert(name, held.into());
                }
            }
            Ok(Known { items })
        };
        Ok(Json(blocking(look).await?).into_response())
    };
    answer.await.unwrap_or_else(Refusal::into_response)
}

async fn take(
    State(shared): State<Arc<Shared>>,
    Path((task, queue, item)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let answer = async {
        let place = shared.authorise(&task, &queue, &headers).await?;
        inbox::check_name(&item)?;
        let part = Part {
            range: headers::range(&headers)?,
            digest: headers::digest(&headers)?,
        };
        let full = Err(Refusal::busy("mhost ends"));
        let Ok(_place) = shared.places.acquire().await else {
            return full;
        };
        let body = content(body, PIECE).await?;
        let room = shared.room(&place);
        let write = move || {
            let mut room = room.lock().unwrap_or_else(PoisonError::into_inner);
            Inbox::open(&place)?.take(&item, &part, &body, &mut room)
        };
        Ok(answered(blocking(write).await?))
    };
    answer.await.unwrap_or_else(Refusal::into_response)
}

fn answered(answer: Answer) -> Response {
    let (status, reply) = match answer {
        Answer::Partial(received) => (StatusCode::ACCEPTED, Reply::Partial { received }),
        Answer::Elsewhere(received) => (StatusCode::CONFLICT, Reply::Partial { received }),
        Answer::Arrived => (StatusCode::CREATED, Reply::Waiting),
        Answer::There(held) => (StatusCode::OK, held.into()),
    };
    (status, Json(reply)).into_response()
}

/// The content, which may neither be too large nor take for ever.
async fn content(body: Body, most: usize) -> Result<axum::body::Bytes, Refusal> {
    match tokio::time::timeout(PATIENCE, to_bytes(body, most)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            Problem::usage(format!(
                "the content is larger than {most} bytes, or was cut off"
            )),
        )),
        Err(_) => Err(Refusal::new(
            StatusCode::REQUEST_TIMEOUT,
            Problem::failed("the content did not arrive in time"),
        )),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| {
        Err(Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            Problem::bug(error.to_string()),
        ))
    })
}

/// A queue that somebody may put items into.
#[derive(Debug, Clone)]
struct Place {
    task: Name,
    queue: Name,
    receiver: Receiver,
    /// The granted directory, and what lies between it and the queue.
    root: std::path::PathBuf,
    below: String,
    /// Bytes that must stay free there, as for the task's own runs.
    floor: u64,
}

impl Shared {
    /// Whose token it is. Nobody learns by the answer which tasks and queues there are.
    async fn authorise(
        &self,
        task: &str,
        queue: &str,
        headers: &HeaderMap,
    ) -> Result<Place, Refusal> {
        let refused = || {
            let problem = Problem::refused("there is no such queue for this token")
                .hint("send the header `authorization: Bearer TOKEN` with the token of the queue");
            Refusal::new(StatusCode::UNAUTHORIZED, problem)
        };
        let token = headers
            .get("authorization")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or_else(refused)?;
        let (Ok(task), Ok(queue)) = (task.parse::<Name>(), queue.parse::<Name>()) else {
            return Err(refused());
        };
        let found = self.app.store.task(&task).await.map_err(Problem::from)?;
        let receiver = found
            .and_then(|found| Some((found.task.spec.receive.get(&queue)?.clone(), found.task)));
        let Some((receiver, found)) = receiver else {
            return Err(refused());
        };
        let expected = expected(&task, &queue, &receiver)?;
        if fingerprint(token) != fingerprint(&expected) {
            return Err(refused());
        }
        Ok(place(&found, queue, receiver)?)
    }

    /// How full the queue is, as far as is known.
    fn room(&self, place: &Place) -> Arc<Mutex<Room>> {
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (place.task.clone(), place.queue.clone());
        Arc::clone(rooms.entry(key).or_default())
    }
}

/// The token, read anew each time: so it can be changed without anybody being told. What is
/// wrong with it is the operator's to know, not the sender's.
fn expected(task: &Name, queue: &Name, receiver: &Receiver) -> Result<String, Refusal> {
    let why = match read_secret(&receiver.token) {
        Ok(token) if token.len() >= MIN_TOKEN => return Ok(token),
        Ok(_) => format!("it is shorter than {MIN_TOKEN} characters"),
        Err(fault) => fault.to_string(),
    };
    tracing::error!(%task, %queue, "nothing can be received: the token: {why}");
    let problem = Problem::failed("this queue receives nothing just now")
        .hint("the log of the receiving mhost says why");
    Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, problem))
}

fn place(task: &Task, queue: Name, receiver: Receiver) -> Outcomes<Place> {
    let found = receiver.place().and_then(|(grant, below)| {
        let dir = task.spec.grants.dirs.get(grant)?;
        Some((dir.path.clone(), below.to_owned()))
    });
    let (root, below) = found.ok_or_else(|| {
        Problem::refused(format!(
            "`{}` lies below no directory that is granted to the task",
            receiver.queues
        ))
    })?;
    Ok(Place {
        task: task.name.clone(),
        queue,
        receiver,
        root,
        below,
        floor: task.spec.limits.free_space.0,
    })
}

/// Why a request is not obeyed.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    problem: Problem,
}

impl Refusal {
    fn new(status: StatusCode, problem: Problem) -> Self {
        Self { status, problem }
    }

    fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Problem::usage(message))
    }

    fn busy(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, Problem::busy(message))
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let status = match problem.kind {
            Kind::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Refused => StatusCode::FORBIDDEN,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, problem)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(self.problem)).into_response()
    }
}
