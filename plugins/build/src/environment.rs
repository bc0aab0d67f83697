//! The environment of the nested cargo: the operator's registry and network
//! settings stay, what the calling cargo set for its own build goes.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Cargo's variables that say where crates come from and how to show progress.
const KEPT: [&str; 8] = [
    "CARGO_HOME",
    "CARGO_NET_",
    "CARGO_HTTP_",
    "CARGO_REGISTRY_",
    "CARGO_REGISTRIES_",
    "CARGO_SOURCE_",
    "CARGO_TERM_",
    "CARGO_BUILD_JOBS",
];

/// What else a calling cargo, clippy or build tool sets: flags and wrappers for
/// another target, its job server, and what it tells build scripts.
const DROPPED: [&str; 17] = [
    "RUSTFLAGS",
    "RUSTDOCFLAGS",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_LINKER",
    "CLIPPY_ARGS",
    "CLIPPY_CONF_DIR",
    "MAKEFLAGS",
    "MFLAGS",
    "NUM_JOBS",
    "OUT_DIR",
    "TARGET",
    "HOST",
    "PROFILE",
    "OPT_LEVEL",
    "DEBUG",
    "__CARGO_DEFAULT_LIB_METADATA",
];

/// A cargo in the workspace `root` that builds the same from wherever it is called.
pub fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| !passes(name)) {
            cargo.env_remove(name);
        }
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags(root));
    cargo
}

fn passes(name: &str) -> bool {
    if name.starts_with("CARGO") {
        return KEPT.iter().any(|kept| name.starts_with(kept));
    }
    !DROPPED.contains(&name)
}

/// A component names its sources in traps: as they lie in the workspace, the same
/// on every machine.
fn flags(root: &Path) -> String {
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    let mut flags = Vec::new();
    if let Some(home) = home {
        flags.push(format!("--remap-path-prefix={}=cargo", home.display()));
    }
    // The last prefix that fits wins, and cargo's home may lie above the workspace.
    flags.push(format!("--remap-path-prefix={}/=", root.display()));
    flags.join("\u{1f}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_nested_cargo_gets_to_see() {
        for (name, expected) in [
            ("PATH", true),
            ("HOME", true),
            ("RUSTUP_HOME", true),
            ("RUSTUP_TOOLCHAIN", true),
            ("CARGO_HOME", true),
            ("CARGO_NET_OFFLINE", true),
            ("CARGO_REGISTRIES_MINE_TOKEN", true),
            ("CARGO_TARGET_DIR", false),
            ("CARGO_BUILD_TARGET", false),
            ("CARGO_ENCODED_RUSTFLAGS", false),
            ("CARGO_MAKEFLAGS", false),
            ("CARGO_PROFILE_PLUGIN_LTO", false),
            ("CARGO_PKG_NAME", false),
            ("RUSTC_WORKSPACE_WRAPPER", false),
            ("MAKEFLAGS", false),
        ] {
            assert_eq!(passes(name), expected, "{name}");
        }
    }
}
