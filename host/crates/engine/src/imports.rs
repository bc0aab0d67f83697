//! What components may import: the interfaces that the linker has, by name and
//! version, so that a missing one is named instead of the linker's own error.

use mhost_model::plugin::Digest;
use wasmtime::component::Component;

use crate::sandbox::Core;
use crate::{EngineError, Inspection};

/// The version of WASI 0.2 that the host has; an older or newer 0.2 links too.
const WASI: &str = "0.2.12";
const WASI_INTERFACES: [&str; 28] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:http/outgoing-handler",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
];
const WASI_LATE: &str = "wasi:sockets/udp-create-socket";
const OURS: [&str; 18] = [
    "mhost:plugin/alerts@0.1.1",
    "mhost:plugin/database@0.1.1",
    "mhost:plugin/faults@0.1.1",
    "mhost:plugin/files@0.1.1",
    "mhost:plugin/keeping@0.1.1",
    "mhost:plugin/probe@0.1.1",
    "mhost:plugin/processes@0.1.1",
    "mhost:plugin/progress@0.1.1",
    "mhost:plugin/remote@0.1.1",
    "mhost:plugin/repository@0.1.1",
    "mhost:plugin/secrets@0.1.1",
    "mhost:plugin/tasks@0.1.1",
    "mhost:plugin/trees@0.1.1",
    "mhost:plugin/watch@0.1.1",
    "mhost:plugin/zones@0.1.1",
    "wasi:config/store@0.2.0-rc.1",
    "wasi:keyvalue/store@0.2.0-draft2",
    "wasi:logging/logging@0.1.0-draft",
];
/// What a plugin exports.
pub(crate) const EXPORT: &str = "mhost:plugin/plugin@0.1.1";

/// Every interface with its version.
fn offered() -> impl Iterator<Item = String> {
    let wasi = WASI_INTERFACES.iter().chain([&WASI_LATE]);
    let ours = OURS.iter().map(|name| (*name).to_owned());
    wasi.map(|name| format!("{name}@{WASI}")).chain(ours)
}

/// One line for each import that the host lacks.
pub(crate) fn missing(core: &Core, component: &Component) -> Vec<String> {
    let names = import_names(core, component);
    let lines: Vec<String> = names.iter().filter_map(|name| why_missing(name)).collect();
    if !lines.is_empty() {
        return lines;
    }
    // All names are known, so it is a function or a type within one.
    match core.linker.instantiate_pre(component) {
        Ok(_) => Vec::new(),
        Err(error) => vec![shape(&error)],
    }
}

pub(crate) fn inspect(core: &Core, digest: Digest, size: u64, component: &Component) -> Inspection {
    let ty = component.component_type();
    let exports = ty.exports(&core.engine).map(|(name, _)| name.to_owned());
    Inspection {
        digest,
        size,
        exports: exports.collect(),
        imports: import_names(core, component),
        missing: missing(core, component),
    }
}

fn import_names(core: &Core, component: &Component) -> Vec<String> {
    let ty = component.component_type();
    let names = ty.imports(&core.engine).map(|(name, _)| name.to_owned());
    names.collect()
}

/// Tells a core module and other files from a component before compiling.
pub(crate) fn check_header(bytes: &[u8]) -> Result<(), EngineError> {
    let wrong = |why: &str| Err(EngineError::NotAComponent(why.to_owned()));
    match bytes.get(..8) {
        Some(b"\0asm\x0d\0\x01\0") => Ok(()),
        Some(b"\0asm\x01\0\0\0") => wrong(
            "it is a core module; build it for `wasm32-wasip2`, or make a component of it with `wasm-tools component new`",
        ),
        Some([b'\0', b'a', b's', b'm', ..]) => wrong("its binary version is not known here"),
        _ => wrong("it does not begin like a WebAssembly file"),
    }
}

/// Why a name cannot be linked, if it cannot.
fn why_missing(name: &str) -> Option<String> {
    let (interface, version) = name.split_once('@').unwrap_or((name, ""));
    let same = |other: &String| other.split('@').next() == Some(interface);
    match offered().find(same) {
        Some(other) => {
            let (_, has) = other.split_once('@')?;
            (has != version && (track(has).is_none() || track(has) != track(version))).then(|| {
                format!("{name}: this mhost has version {has}; build the plugin against that, or use another mhost")
            })
        }
        None => {
            let package = interface.split('/').next().unwrap_or(interface);
            let inside: Vec<String> = offered()
                .filter(|other| other.split('/').next() == Some(package))
                .collect();
            let has = if inside.is_empty() {
                format!("this mhost has nothing of `{package}`")
            } else {
                format!("of `{package}` this mhost has {}", inside.join(", "))
            };
            Some(format!(
                "{name}: {has}; build the plugin without it, or use a mhost that has it"
            ))
        }
    }
}

/// The part of a version that must agree: `0.2` of `0.2.12`; none for a draft,
/// which agrees with itself alone.
fn track(version: &str) -> Option<String> {
    if version.contains(['-', '+']) {
        return None;
    }
    let mut numbers = version.split('.');
    let (major, minor) = (numbers.next()?, numbers.next()?);
    match (major, minor) {
        ("0", "0") => None,
        ("0", minor) => Some(format!("0.{minor}")),
        (major, _) => Some(major.to_owned()),
    }
}

/// A linker's error about a known interface, in one line.
fn shape(error: &wasmtime::Error) -> String {
    let quoted = |text: &str| text.split('`').nth(1).map(str::to_owned);
    let mut names = error.chain().filter_map(|cause| quoted(&cause.to_string()));
    let interface = names.next().unwrap_or_else(|| "an import".to_owned());
    let has = offered()
        .find(|other| other.split('@').next() == interface.split('@').next())
        .unwrap_or_else(|| "another shape of it".to_owned());
    match names.next() {
        Some(function) => format!(
            "{interface}: its `{function}` is not in this mhost, or is different; this mhost has {has}: build the plugin against that, or use a newer mhost"
        ),
        None => format!(
            "{interface}: this mhost has {has} with another shape ({})",
            error.root_cause()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_agrees_links() {
        for (name, links) in [
            ("wasi:io/streams@0.2.0", true),
            ("wasi:io/streams@0.2.99", true),
            ("wasi:io/streams@0.3.0", false),
            ("mhost:plugin/files@0.1.7", true),
            ("mhost:plugin/files@0.2.0", false),
            ("wasi:keyvalue/store@0.2.0-draft2", true),
            ("wasi:keyvalue/store@0.2.0-draft", false),
            ("wasi:nn/graph@0.2.0", false),
        ] {
            assert_eq!(why_missing(name).is_none(), links, "{name}");
        }
    }

    #[test]
    fn a_missing_one_is_named_with_what_there_is() {
        let line = why_missing("mhost:plugin/files@0.2.0").unwrap();
        assert!(
            line.contains("files@0.2.0") && line.contains("version 0.1.1"),
            "{line}"
        );
        let line = why_missing("wasi:config/runtime@0.2.0").unwrap();
        assert!(line.contains("wasi:config/store@0.2.0-rc.1"), "{line}");
    }

    /// The linker refuses to define again what it has.
    #[test]
    fn everything_offered_is_in_the_linker() {
        let engine = wasmtime::Engine::default();
        let mut linker = crate::capabilities::linker(&engine).unwrap();
        let empty = wasmtime::Module::new(&engine, b"\0asm\x01\0\0\0").unwrap();
        for name in offered() {
            assert!(linker.root().module(&name, &empty).is_err(), "{name}");
        }
        assert!(linker.root().module("wasi:nn/graph@0.2.0", &empty).is_ok());
    }
}
