//! Targets of modules, and the origins that asking them needs.

use std::collections::BTreeSet;

use mhost_model::grant::Origin;
use serde_json::{Map, Value, json};

use super::BlackboxError;
use super::shape::{File, Module};

/// The targets of the plugin, and their origins.
pub(super) fn read(
    targets: &[String],
    file: &File,
    notes: &mut Vec<String>,
) -> Result<(Vec<Value>, BTreeSet<String>), BlackboxError> {
    let (mut list, mut net) = (Vec::new(), BTreeSet::new());
    for text in targets {
        let pair = text.split_once('=');
        let (name, address) = pair.ok_or_else(|| BlackboxError::NoTarget(text.clone()))?;
        let Some(module) = file.modules.get(name) else {
            let known: Vec<_> = file.modules.keys().map(String::as_str).collect();
            return Err(BlackboxError::NoModule(name.to_owned(), known.join(", ")));
        };
        if has_user(address) {
            return Err(BlackboxError::Password(name.to_owned()));
        }
        if !PROBERS.contains(&module.prober.as_str()) {
            let prober = module.prober.clone();
            return Err(BlackboxError::NoProber(name.to_owned(), prober));
        }
        let Some((settings, origin)) = target(module, address) else {
            return Err(BlackboxError::NoTarget(text.clone()));
        };
        match origin.parse::<Origin>() {
            Ok(origin) => drop(net.insert(origin.to_string())),
            Err(error) => notes.push(format!("target `{text}`: {error}")),
        }
        let mut target = Map::new();
        target.insert("module".into(), json!(name));
        target.extend(settings);
        list.push(Value::Object(target));
    }
    Ok((list, net))
}

/// What has a counterpart.
const PROBERS: [&str; 4] = ["http", "tcp", "dns", "icmp"];

/// Whether a user, or a password, stands before the host.
fn has_user(address: &str) -> bool {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#', '\\']).next();
    authority.is_some_and(|authority| authority.contains('@'))
}

/// A target's own settings, and its origin.
fn target(module: &Module, address: &str) -> Option<(Map<String, Value>, String)> {
    let mut settings = Map::new();
    let origin = match module.prober.as_str() {
        "http" => {
            let url = match address.contains("://") {
                true => address.to_owned(),
                false => format!("http://{address}"),
            };
            let origin: Vec<&str> = url.splitn(4, '/').take(3).collect();
            let origin = origin.join("/");
            settings.insert("http".into(), json!(url));
            origin
        }
        "tcp" => {
            settings.insert("tcp".into(), json!(address));
            format!("tcp://{address}")
        }
        "dns" => {
            let (host, port) = match address.rsplit_once(':') {
                Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                    (host, port.parse::<u16>().ok()?)
                }
                _ => (address, 53),
            };
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            settings.insert("dns".into(), json!({ "server": bare, "port": port }));
            match bare.contains(':') {
                true => format!("dns://[{bare}]:{port}"),
                false => format!("dns://{bare}:{port}"),
            }
        }
        "icmp" => {
            settings.insert("icmp".into(), json!(address));
            match address.contains(':') {
                true => format!("icmp://[{address}]"),
                false => format!("icmp://{address}"),
            }
        }
        _ => return None,
    };
    Some((settings, origin))
}
