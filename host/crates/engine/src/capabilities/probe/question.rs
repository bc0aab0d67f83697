//! One ask of a batch, whatever it is about.

use std::time::{Duration, Instant};

use mhost_model::FaultResult;
use mhost_model::grant::{Origin, Scheme};

use super::clockwork::Clockwork;
use super::contract::{Ask, Family as Asked, Found, Question, TlsFacts};
use super::{echo, origin, query, shake, talk, web};
use crate::network::Family;
use crate::permits::{OriginUse, Permit};
use crate::state::Shared;

/// Its answer, within its timeout and the run's; and what a peer showed that was refused.
pub(super) async fn ask(shared: &Shared, ask: Ask) -> (FaultResult<Found>, Option<TlsFacts>) {
    let limit = Duration::from_millis(ask.timeout_ms.into());
    let until = (Instant::now() + limit).min(shared.deadline);
    let mut clock = Clockwork::new(until);
    let family = match ask.family {
        Asked::Any => Family::Any,
        Asked::V4 => Family::V4,
        Asked::V6 => Family::V6,
    };
    let found = match ask.question {
        Question::Http(asked) => web::probe(shared, asked, family, &mut clock)
            .await
            .map(Found::Http),
        Question::Tcp(asked) => talk::probe(shared, asked, family, &mut clock)
            .await
            .map(Found::Tcp),
        Question::Tls(asked) => shake::probe(shared, asked, family, &mut clock)
            .await
            .map(Found::Tls),
        Question::Dns(asked) => query::probe(shared, asked, family, &mut clock)
            .await
            .map(Found::Dns),
        Question::Icmp(asked) => echo::probe(shared, asked, family, &mut clock)
            .await
            .map(Found::Icmp),
    };
    (found, clock.refused())
}

/// The permit for a peer that is written as host and port.
pub(super) fn permit(
    shared: &Shared,
    scheme: Scheme,
    (host, port): (&str, u16),
    verb: &str,
    changes: bool,
) -> FaultResult<(Origin, Permit<OriginUse>)> {
    let origin = origin(scheme, host, port)?;
    let permit = shared
        .granter
        .origin(&origin, verb, changes, &origin.to_string())?;
    Ok((origin, permit))
}
