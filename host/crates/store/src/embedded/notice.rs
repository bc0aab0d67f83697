//! What people are told, in the transaction of what happened: who is told ([`route`]), the
//! letters ([`outbox`]), alerts that stand ([`alerts`]), what starts and ends of runs tell
//! ([`ends`]), and looking whether tasks do as is expected of them ([`watch`]).

mod alerts;
mod ends;
mod outbox;
mod route;
mod watch;

pub use route::Routes;
