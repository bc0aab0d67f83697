//! From the configuration to sections.

use mhost_format_logrotate::{Input, Options, Problem, Section, Stamp, parse};

use crate::config::{Config, typed};
use crate::ground::Ground;
use crate::rotate::Clock;

/// What is to be done, and what of the configuration is wrong.
pub struct Read {
    pub sections: Vec<Section>,
    pub problems: Vec<Problem>,
    /// From the typed words, which mean a little more than logrotate's.
    pub typed: bool,
}

pub fn read(ground: &Ground, config: &Config, clock: &Clock<'_>) -> Read {
    let inputs: Vec<Input<'_>> = match (&config.conf, &config.conf_text) {
        (Some(paths), _) => paths.list().iter().map(|path| Input::Path(path)).collect(),
        (None, Some(text)) => vec![Input::Text {
            name: "conf_text",
            text,
        }],
        (None, None) => {
            let stamp = |options: &Options| Stamp::new(options, clock.now, clock.epoch());
            return Read {
                sections: vec![typed(config, ground, stamp)],
                problems: Vec::new(),
                typed: true,
            };
        }
    };
    let read = parse(&inputs, ground);
    for file in &read.files {
        ground.say(&format!("read the configuration {file}"));
    }
    Read {
        sections: read.sections,
        problems: read.problems,
        typed: false,
    }
}
