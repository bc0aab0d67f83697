//! Probes, signals and commands.

use serde_json::{Value, json};

use super::{Answer, fault, number, text, unknown};
use crate::mhost::plugin::probe::{self as probes, RecordType};
use crate::mhost::plugin::{processes, zones};

pub fn probe(verb: &str, call: &Value) -> Answer {
    let host = text(call, "host");
    let port = u16::try_from(number(call, "port")).unwrap_or_default();
    match verb {
        "tcp" => probes::tcp(host, port, None, 1024, 5000)
            .map(|answer| json!(String::from_utf8_lossy(&answer.received))),
        "tls" => probes::tls(host, port, None, 5000).map(|answer| json!(answer.distrust)),
        "resolve" => probes::resolve(host, RecordType::A, 5000).map(|answer| json!(answer.records)),
        other => return Err(unknown(other)),
    }
    .map_err(fault)
}

pub fn process(verb: &str, call: &Value) -> Answer {
    let name = text(call, "name");
    match verb {
        "signal" => processes::signal(name).map(|()| Value::Null),
        "run" => processes::run(name).map(|ended| json!([ended.code, ended.stdout])),
        other => return Err(unknown(other)),
    }
    .map_err(fault)
}

pub fn zone(call: &Value) -> Answer {
    let offset = zones::offset(text(call, "name"), number(call, "at"));
    offset.map(Value::from).map_err(fault)
}
