//! The other end's queue over the HTTP service of its mhost: a task there declares in
//! `receive` that it takes items, and gives this end a token that is good for its queue
//! alone. An item is sent in pieces, so that a large one needs little memory and one that
//! was cut off goes on where it ended; it counts as sent when the other end says that it is
//! whole and durable.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mhost_sdk::files::{Files, HashAlgorithm};
use mhost_sdk::http::{Request, Response};
use mhost_sdk::{Context, Doing as _, Error, Failure, Result};
use serde::Deserialize;
use serde_json::json;

use super::super::config;
use super::{Exchange, Outgoing, Sent, There, Transport};

/// Bytes of one piece; the other end takes up to twice as much.
const PIECE: u64 = 4 << 20;
/// Small items that are sent at the same time, and their bytes in all.
const TOGETHER: usize = 8;
/// Names in one question.
const NAMES: usize = 1000;
/// The last piece of a large item is answered once all of it was looked through there.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often one item may be begun at another place than was thought.
const MOVES: u32 = 3;

/// See the module.
pub struct Service<'a> {
    context: &'a Context<'a>,
    /// `https://west.example.org/v1/receive/TASK/QUEUE`
    url: String,
    authorization: String,
}

/// What the other end says of an item.
#[derive(Debug, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
enum Reply {
    Partial { received: u64 },
    Waiting,
    Done,
    Failed { reason: String },
}

#[derive(Debug, Deserialize)]
struct Known {
    items: BTreeMap<String, Reply>,
}

/// What it says where it does not do what was asked.
#[derive(Debug, Default, Deserialize)]
struct Problem {
    #[serde(default)]
    message: String,
    #[serde(default)]
    hint: Option<String>,
}

/// What follows from an answer to a piece.
enum Next {
    Over(Sent),
    /// Go on at this byte.
    At(u64),
}

impl<'a> Service<'a> {
    pub fn new(
        context: &'a Context<'a>,
        config: &config::OverService,
    ) -> std::result::Result<Self, Failure> {
        let token = context
            .secret(&config.token)
            .doing(|| format!("read the token for {}", config.url))?;
        let plain = |name: &str| {
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            !name.is_empty() && name.chars().all(fits)
        };
        if !plain(&config.task) || !plain(&config.queue) {
            return Err(Failure::permanent(format!(
                "`{}` and `{}` must be the names of a task and a queue",
                config.task, config.queue
            )));
        }
        Ok(Self {
            context,
            url: format!(
                "{}/v1/receive/{}/{}",
                config.url.trim_end_matches('/'),
                config.task,
                config.queue
            ),
            authorization: format!("Bearer {token}"),
        })
    }

    fn files(&self) -> &dyn Files {
        self.context.files()
    }

    fn request(&self, method: &str, path: &str, body: Vec<u8>) -> Request {
        let request = Request {
            body,
            ..Request::new(method, &format!("{}{path}", self.url))
        };
        request
            .header("authorization", &self.authorization)
            .timeout(PATIENCE)
    }

    fn one(&self, request: Request) -> Result<Response> {
        let answers = self.context.fetch(&[request]);
        let lost = || Err(Error::Failed("the host lost the answer".to_owned()));
        answers.into_iter().next().unwrap_or_else(lost)
    }

    /// What became of items.
    fn ask(&self, names: &[String]) -> Result<BTreeMap<String, There>> {
        let question = json!({ "items": names }).to_string().into_bytes();
        let request = Request {
            // Each may have a reason.
            max_body: 96 << 20,
            ..self.request("POST", "", question)
        };
        let answer = self.one(request.header("content-type", "application/json"))?;
        if answer.status != 200 {
            return Err(self.refused(&answer));
        }
        let known: Known = self.read(&answer)?;
        let said = known.items.into_iter().filter_map(|(name, reply)| {
            let there = match reply {
                Reply::Partial { .. } => return None,
                Reply::Waiting => There::Waiting,
                Reply::Done => There::Done,
                Reply::Failed { reason } => There::Error(reason),
            };
            Some((name, there))
        });
        Ok(said.collect())
    }

    /// One piece of an item.
    fn piece(&self, item: &Outgoing, digest: &str, at: u64) -> Result<Request> {
        let piece = self.files().read_range(&item.path, at, PIECE)?;
        if piece.is_empty() {
            return Err(Error::Failed(format!(
                "`{}` became shorter while it was sent",
                item.name
            )));
        }
        let range = format!("bytes {at}-{}/{}", at + piece.len() as u64 - 1, item.size);
        Ok(self.put(item, digest, &range, piece))
    }

    fn put(&self, item: &Outgoing, digest: &str, range: &str, piece: Vec<u8>) -> Request {
        self.request("PUT", &format!("/{}", item.name), piece)
            .header("content-range", range)
            .header("repr-digest", digest)
            .header("content-type", "application/octet-stream")
    }

    fn digest(&self, item: &Outgoing) -> Result<String> {
        let digest = self
            .files()
            .hash(&item.path, HashAlgorithm::Sha256, 0, None)?;
        Ok(format!("sha-256=:{}:", STANDARD.encode(digest)))
    }

    /// An item of more than one piece. The other end may have a part of it.
    fn large(&self, item: &Outgoing) -> Result<Sent> {
        let digest = self.digest(item)?;
        let question = self.put(item, &digest, &format!("bytes */{}", item.size), Vec::new());
        let mut next = self.next(&self.one(question)?)?;
        let mut moves = 0;
        let mut expected = None;
        loop {
            self.context
                .check_cancelled()
                .map_err(|failure| Error::Busy(failure.message))?;
            let at = match next {
                Next::Over(sent) => return Ok(sent),
                Next::At(at) => at,
            };
            moves += u32::from(expected.is_some_and(|expected| expected != at));
            if moves > MOVES || at >= item.size {
                return Err(Error::Failed(format!(
                    "`{}` cannot be sent: the other end has {at} of {} bytes, and takes no more",
                    item.name, item.size
                )));
            }
            expected = Some(item.size.min(at + PIECE));
            next = self.next(&self.one(self.piece(item, &digest, at)?)?)?;
        }
    }

    /// Items of one piece each, at the same time.
    fn small(&self, items: &[Outgoing]) -> Vec<Result<Sent>> {
        let requests: Result<Vec<Request>> = items
            .iter()
            .map(|item| self.piece(item, &self.digest(item)?, 0))
            .collect();
        let answers = match requests {
            Ok(requests) => self.context.fetch(&requests),
            Err(error) => return vec![Err(error)],
        };
        // One that failed keeps those after it from counting; they are found there next time.
        let settle = |(item, answer): (&Outgoing, Result<Response>)| match self.next(&answer?)? {
            Next::Over(sent) => Ok(sent),
            // A part of it is there from a time when pieces were smaller.
            Next::At(_) => self.large(item),
        };
        items.iter().zip(answers).map(settle).collect()
    }

    fn next(&self, answer: &Response) -> Result<Next> {
        match answer.status {
            200..=202 | 409 => {}
            413 => {
                return Ok(Next::Over(Sent::Refused(self.refused(answer).to_string())));
            }
            _ => return Err(self.refused(answer)),
        }
        Ok(match self.read::<Reply>(answer)? {
            Reply::Partial { received } => Next::At(received),
            // What it could not apply before it takes anew, so that is none of its answers.
            Reply::Waiting | Reply::Done | Reply::Failed { .. } => Next::Over(Sent::There),
        })
    }

    fn read<'r, T: Deserialize<'r>>(&self, answer: &'r Response) -> Result<T> {
        serde_json::from_slice(&answer.body).map_err(|error| {
            Error::Failed(format!(
                "{} answered what cannot be read: {error}; is it an mhost that receives?",
                self.url
            ))
        })
    }

    fn refused(&self, answer: &Response) -> Error {
        let problem: Problem = serde_json::from_slice(&answer.body).unwrap_or_default();
        let hint = problem
            .hint
            .map_or(String::new(), |hint| format!("; {hint}"));
        let text = format!(
            "{} answered {}: {}{hint}",
            self.url, answer.status, problem.message
        );
        match answer.status {
            401 | 403 => Error::Invalid(text),
            408 | 429 | 500.. => Error::Busy(text),
            _ => Error::Failed(text),
        }
    }
}

impl Transport for Service<'_> {
    fn exchange(&self, asked: &[String], items: &[Outgoing]) -> Result<Exchange> {
        let mut exchange = Exchange::default();
        for names in asked.chunks(NAMES) {
            exchange.there.extend(self.ask(names)?);
        }
        let mut rest = items;
        while let Some(first) = rest.first() {
            let (now, later) = rest.split_at(together(rest));
            rest = later;
            match first.size > PIECE {
                true => exchange.sent.push(self.large(first)),
                false => exchange.sent.extend(self.small(now)),
            }
            if exchange.sent.iter().any(Result::is_err) {
                break;
            }
        }
        Ok(exchange)
    }
}

/// How many of the first items go at the same time, at least one.
fn together(items: &[Outgoing]) -> usize {
    let mut bytes = 0;
    let fit = items.iter().take(TOGETHER).take_while(|item| {
        bytes += item.size;
        bytes <= PIECE
    });
    fit.count().max(1)
}
