//! Running calls in the guest.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use mhost_engine::{Network, Plugin, RecordKind, Resolver};
use mhost_model::grant::Access;
use mhost_model::{Fault, FaultResult};
use serde_json::{Value, json};

use crate::support::{Attack, Went, block_on, sandbox};

/// Every name leads to this machine.
#[derive(Debug)]
struct Rebinding;

#[async_trait::async_trait]
impl Resolver for Rebinding {
    async fn addresses(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        let address = match host {
            "metadata.example" => [169, 254, 169, 254],
            _ => [127, 0, 0, 1],
        };
        Ok(vec![IpAddr::from(address)])
    }

    async fn records(&self, name: &str, _kind: RecordKind) -> FaultResult<Vec<String>> {
        Err(Fault::NotFound(name.to_owned()))
    }
}

/// The guest, built and loaded once.
fn plugin() -> Arc<Plugin> {
    static PLUGIN: OnceLock<Arc<Plugin>> = OnceLock::new();
    let load = || {
        let near = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let built = mhost_plugin_build::build(&["mhost-guest-files"], near).unwrap();
        let component = std::fs::read(&built[0]).unwrap();
        let network = Network::new(Arc::new(Rebinding), Vec::new());
        block_on(sandbox(&[]).with_network(network).load(&component)).unwrap()
    };
    Arc::clone(PLUGIN.get_or_init(load))
}

/// A run of these calls, granted nothing yet.
pub fn calls(calls: Value) -> Attack {
    Attack::with(plugin(), "calls", json!({ "calls": calls }))
}

/// What each call was answered: `ok` or the kind of its error.
pub fn kinds(went: &Went) -> Vec<String> {
    let kind = |answer: &Value| answer["error"].as_str().unwrap_or("ok").to_owned();
    answers(went).iter().map(kind).collect()
}

/// The answers as the guest saw them.
pub fn answers(went: &Went) -> Vec<Value> {
    let details = went.report().details.as_ref().unwrap();
    details.as_array().unwrap().clone()
}

/// Three granted directories, and one beside them that is not.
pub struct Tree(tempfile::TempDir);

impl Tree {
    pub fn new() -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        for name in ["logs", "other", "public", "secret"] {
            std::fs::create_dir(tree.at(name)).unwrap();
            std::fs::write(tree.at(name).join("file"), name).unwrap();
        }
        for (text, path) in [
            ("../secret", "out"),
            ("../secret/file", "out-file"),
            ("/etc", "etc"),
        ] {
            std::os::unix::fs::symlink(text, tree.at("logs").join(path)).unwrap();
        }
        tree
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.at(path)).unwrap()
    }

    /// `logs` and `other` to be changed, `public` to be read, `dev` the machine's.
    pub fn granted(&self, attack: Attack) -> Attack {
        attack
            .limits(|limits| limits.free_space = mhost_model::ByteSize(0))
            .dir("logs", &self.at("logs"), Access::ReadWrite)
            .dir("other", &self.at("other"), Access::ReadWrite)
            .dir("public", &self.at("public"), Access::ReadOnly)
            .dir("dev", Path::new("/dev"), Access::ReadOnly)
    }

    pub fn go(&self, asked: Value) -> Went {
        self.granted(calls(asked)).go()
    }

    /// Nothing that was not granted has changed.
    pub fn is_safe(&self) -> bool {
        self.read("secret/file") == "secret"
            && self.read("public/file") == "public"
            && std::fs::read_dir(self.at("secret")).unwrap().count() == 1
            && std::fs::read_dir(self.at("public")).unwrap().count() == 1
    }
}
