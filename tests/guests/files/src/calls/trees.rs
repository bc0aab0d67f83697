//! The verbs of `mhost:plugin/trees`, one step a call.

use serde_json::{Value, json};

use super::{Answer, fault, text, unknown};
use crate::mhost::plugin::files::Changes;
use crate::mhost::plugin::trees::{
    self as host, Basis, CopyStep, Copying, LinkStep, ListOptions, MetadataStep, PairStep, Step,
};

pub fn run(verb: &str, call: &Value) -> Answer {
    let (target, other) = (text(call, "target"), text(call, "source"));
    match verb {
        "list" => list(target).map_err(fault),
        "look" => host::look(target)
            .map(|facts| json!(facts.owners))
            .map_err(fault),
        "lock" => host::lock(target).map(|_| Value::Null).map_err(fault),
        "flush" => host::flush(target).map(|()| Value::Null).map_err(fault),
        "same" => {
            let pair = (bytes(call, "existing"), bytes(call, "path"));
            let answers = host::same(other, target, &[pair]).map_err(fault)?;
            answers
                .into_iter()
                .next()
                .map_or(Ok(Value::Null), |answer| {
                    answer.map(Value::from).map_err(fault)
                })
        }
        "many" => {
            let steps = vec![Step::Remove(bytes(call, "path")); 5000];
            let applied = host::apply(None, target, None, &steps);
            applied.map(|_| Value::Null).map_err(fault)
        }
        _ => apply(verb, call),
    }
}

fn bytes(call: &Value, key: &str) -> Vec<u8> {
    text(call, key).as_bytes().to_vec()
}

fn apply(verb: &str, call: &Value) -> Answer {
    let optional = |key: &str| call[key].as_str();
    let step = step(verb, call).ok_or_else(|| unknown(verb))?;
    let applied = host::apply(
        optional("source"),
        text(call, "target"),
        optional("beside"),
        &[step],
    );
    let answers = applied.map_err(fault)?;
    match answers.into_iter().next() {
        Some(answer) => answer.map(|done| json!(done.bytes)).map_err(fault),
        None => Ok(Value::Null),
    }
}

fn step(verb: &str, call: &Value) -> Option<Step> {
    let path = || bytes(call, "path");
    let pair = || PairStep {
        existing: bytes(call, "existing"),
        path: path(),
    };
    let changes = || Changes {
        mode: call["mode"].as_u64().and_then(|mode| mode.try_into().ok()),
        uid: None,
        gid: None,
        modified: None,
        accessed: None,
    };
    Some(match verb {
        "create-directory" => Step::CreateDirectory(path()),
        "copy" => Step::Copy(CopyStep {
            source: bytes(call, "existing"),
            path: path(),
            how: Copying {
                make_holes: false,
                attributes: true,
                owners: true,
                resume: true,
                basis: Basis::Nothing,
                rate: None,
            },
        }),
        "symbolic-link" => Step::SymbolicLink(LinkStep {
            path: path(),
            text: bytes(call, "existing"),
            changes: changes(),
        }),
        "hard-link" => Step::HardLink(pair()),
        "link-beside" => Step::LinkBeside(pair()),
        "keep" => Step::Keep(pair()),
        "node" => Step::Node(pair()),
        "metadata" => Step::Metadata(MetadataStep {
            path: path(),
            changes: changes(),
            attributes_of: None,
        }),
        "rename" => Step::Rename(pair()),
        "remove" => Step::Remove(path()),
        "remove-partial" => Step::RemovePartial(path()),
        "remove-directory" => Step::RemoveDirectory(path()),
        _ => return None,
    })
}

/// The bytes of a whole listing.
fn list(root: &str) -> Result<Value, host::Error> {
    let options = ListOptions {
        one_file_system: false,
        attributes: true,
    };
    let listing = host::open_listing(root, options)?;
    let mut size = 0;
    loop {
        let page = listing.next()?;
        if page.is_empty() {
            return Ok(json!(size));
        }
        size += page.len();
    }
}
