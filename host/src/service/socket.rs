//! The control socket: every call over HTTP on a Unix socket in the state folder,
//! which only its owner can reach. The same router serves TCP, where it asks for a
//! token.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Json, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::app::App;
use crate::calls::{
    Call, apply, databases, doctor, gaps, grants, notify, plugins, runs, start, tasks, watched,
};
use crate::exit::{Kind, Outcomes, Problem};
use crate::home::Home;

/// The largest request: a component with its base64.
const MAX_BODY: usize = 128 << 20;

/// All calls, and `/healthz`.
pub fn router(app: Arc<App>) -> Router {
    let router = Router::new().route("/healthz", get(|| async { "ok\n" }));
    let router = route::<tasks::ListTasks>(router);
    let router = route::<tasks::ShowTask>(router);
    let router = route::<tasks::EnableTask>(router);
    let router = route::<tasks::RemoveTask>(router);
    let router = route::<tasks::ApproveTask>(router);
    let router = route::<tasks::NextFires>(router);
    let router = route::<runs::ListRuns>(router);
    let router = route::<runs::ShowRun>(router);
    let router = route::<runs::RunLogLines>(router);
    let router = route::<runs::CancelRun>(router);
    let router = route::<gaps::FindGaps>(router);
    let router = route::<watched::Uptime>(router);
    let router = route::<start::RunTask>(router);
    let router = route::<start::Exec>(router);
    let router = route::<start::Tick>(router);
    let router = route::<apply::Apply>(router);
    let router = route::<apply::Export>(router);
    let router = route::<plugins::ListPlugins>(router);
    let router = route::<plugins::InspectPlugin>(router);
    let router = route::<plugins::CheckPlugin>(router);
    let router = route::<plugins::InstallPlugin>(router);
    let router = route::<plugins::RemovePlugin>(router);
    let router = route::<databases::ListDatabases>(router);
    let router = route::<databases::StatDatabase>(router);
    let router = route::<databases::VerifyDatabase>(router);
    let router = route::<grants::ShowGrants>(router);
    let router = route::<grants::TightenGrants>(router);
    let router = route::<notify::TestChannel>(router);
    let router = route::<notify::ListLetters>(router);
    let router = route::<notify::ListAlerts>(router);
    let router = route::<notify::Acknowledge>(router);
    let router = route::<doctor::Doctor>(router);
    router
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(app)
}

fn route<C: Call>(router: Router<Arc<App>>) -> Router<Arc<App>> {
    router.route(&format!("/v1/{}", C::PATH), post(serve::<C>))
}

async fn serve<C: Call>(State(app): State<Arc<App>>, Json(call): Json<C>) -> Response {
    match call.answer(&app).await {
        Ok(answer) => Json(answer).into_response(),
        Err(problem) => (status(problem.kind), Json(problem)).into_response(),
    }
}

fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::Failed => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::Usage => StatusCode::BAD_REQUEST,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Refused => StatusCode::FORBIDDEN,
        Kind::Busy => StatusCode::CONFLICT,
        Kind::Damaged | Kind::Bug => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A control socket that is listened on.
pub struct Listening {
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

/// Listens until [`close`]. We hold the store, so a socket that is there is a dead
/// process's.
pub fn listen(app: &Arc<App>) -> Outcomes<()> {
    let path = app.home.socket();
    unlink(&app.home);
    let failed = |error: std::io::Error| Problem::io("listen on", &path, &error);
    // The folder is ours alone (0700), so nobody can connect before the mode is set.
    let listener = UnixListener::bind(&path).map_err(failed)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    let (stop, stopped) = oneshot::channel::<()>();
    let server = axum::serve(listener, router(Arc::clone(app))).with_graceful_shutdown(async {
        // An error is the sender's end, which is a stop as well.
        let _ = stopped.await;
    });
    let served = tokio::spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "the control socket has ended");
        }
    });
    app.hold_socket(Listening { stop, served });
    Ok(())
}

/// How long the last answers may take once the socket is closed.
const LAST_ANSWERS: Duration = Duration::from_secs(10);

/// Takes the socket away, and answers those who have asked already.
pub async fn close(app: &App) {
    unlink(&app.home);
    if let Some(Listening { stop, served }) = app.release_socket() {
        let _ = stop.send(());
        // It ends by itself, when the last answer is out.
        if tokio::time::timeout(LAST_ANSWERS, served).await.is_err() {
            tracing::warn!("some who asked are not answered: it took too long");
        }
    }
}

/// Removes the socket's name.
fn unlink(home: &Home) {
    // It may never have been there.
    let _ = std::fs::remove_file(home.socket());
}

/// How long whoever listens may take to say that he lives.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

/// Whether somebody listens. One that took the connection and says nothing, because it was
/// stopped or hangs, is an error: nobody should wait for it without end.
pub async fn answers(home: &Home) -> Outcomes<bool> {
    let Ok(stream) = UnixStream::connect(home.socket()).await else {
        return Ok(false);
    };
    let process = stream.peer_cred().ok().and_then(|peer| peer.pid());
    let alive = async {
        let request = hyper::Request::get("/healthz").header("host", "mhost");
        let request = request.body(Full::default()).ok()?;
        let mut sender = greet(stream).await.ok()?;
        let response = sender.send_request(request).await.ok()?;
        Some(response.status().is_success())
    };
    match tokio::time::timeout(SIGN_OF_LIFE, alive).await {
        Ok(alive) => Ok(alive == Some(true)),
        Err(_) => {
            let who = process.map_or("the process".to_owned(), |pid| format!("process {pid}"));
            Err(Problem::busy(format!(
                "{who} holds the state {} and does not answer",
                home.root().display()
            ))
            .hint("it is stopped, or hangs: continue it (`kill -CONT`) or end it"))
        }
    }
}

/// Speaks HTTP on a connection, which then lives as long as it is used.
async fn greet(stream: UnixStream) -> hyper::Result<SendRequest<Full<bytes::Bytes>>> {
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// The holder ended before it answered.
pub struct CutOff {
    /// Whether it may have got the question.
    pub sent: bool,
    pub problem: Problem,
}

impl CutOff {
    fn new(sent: bool, error: impl std::fmt::Display) -> Self {
        let problem = Problem::busy(format!("the running mhost did not answer: {error}"))
            .hint("it has just ended, perhaps: look at `mhost runs list`, then try again");
        Self { sent, problem }
    }
}

/// Asks the process that holds the store; `body` is the call as JSON.
pub async fn call<C: Call>(home: &Home, body: Vec<u8>) -> Result<Outcomes<C::Answer>, CutOff> {
    let (ok, answer) = post_bytes(home, C::PATH, body).await?;
    let unreadable = |error: serde_json::Error| {
        Problem::failed(format!(
            "the answer of the running mhost cannot be read: {error}"
        ))
        .hint("it may be of another version: restart it")
    };
    Ok(match ok {
        true => serde_json::from_slice(&answer).map_err(unreadable),
        false => Err(serde_json::from_slice(&answer).unwrap_or_else(unreadable)),
    })
}

async fn post_bytes(home: &Home, path: &str, body: Vec<u8>) -> Result<(bool, Vec<u8>), CutOff> {
    let stream = UnixStream::connect(home.socket())
        .await
        .map_err(|error| CutOff::new(false, error))?;
    let mut sender = greet(stream)
        .await
        .map_err(|error| CutOff::new(false, error))?;
    let request = hyper::Request::post(format!("/v1/{path}"))
        .header("host", "mhost")
        .header("content-type", "application/json")
        .body(Full::new(bytes::Bytes::from(body)))
        .map_err(|error| CutOff::new(false, error))?;
    let sent = |error: hyper::Error| CutOff::new(true, error);
    let response = sender.send_request(request).await.map_err(sent)?;
    let ok = response.status().is_success();
    let body = response.into_body().collect().await.map_err(sent)?;
    Ok((ok, body.to_bytes().to_vec()))
}
