//! A Zope with an instance of its own; `admin` logs in with `secret`.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Server, ZOPE, free_port};
use crate::tools::Unavailable;

/// See the module. Its files lie in `instance`.
#[derive(Debug)]
pub struct Zope {
    _server: Server,
    pub port: u16,
    pub instance: PathBuf,
}

impl Zope {
    /// Makes the instance in a folder that is not there yet, and starts it.
    #[track_caller]
    pub fn start(instance: &Path) -> Result<Self, Unavailable> {
        let mut make = program("mkwsgiinstance")?;
        let made = make
            .args(["-u", "admin:secret", "-d"])
            .arg(instance)
            .output()
            .unwrap_or_else(|error| panic!("mkwsgiinstance: {error}"));
        assert!(made.status.success(), "{made:?}");
        let port = free_port();
        let ini = instance.join("etc/zope.ini");
        let text = std::fs::read_to_string(&ini).unwrap_or_else(|e| panic!("{e}"));
        let text = text.replace("port = 8080", &format!("port = {port}"));
        std::fs::write(&ini, text).unwrap_or_else(|e| panic!("{e}"));
        std::fs::create_dir_all(instance.join("import")).unwrap_or_else(|e| panic!("{e}"));
        let mut serve = program("runwsgi")?;
        serve.arg(&ini);
        Ok(Self {
            _server: Server::start(serve, port, "Serving on"),
            port,
            instance: instance.to_owned(),
        })
    }
}

fn program(name: &str) -> Result<Command, Unavailable> {
    let python = ZOPE.path()?;
    let folder = python.parent().unwrap_or(Path::new("."));
    Ok(Command::new(folder.join(name)))
}
