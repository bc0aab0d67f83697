//! Scripts, as the signals and commands that were granted in their place.

use std::collections::BTreeMap;

use mhost_format_logrotate::{Event, Section};
use mhost_sdk::{Error, Result};

use crate::config::{ChannelHook, Config, Hook, Hooks};
use crate::ground::Ground;
use crate::letter;

/// What the configuration's scripts stand for.
#[derive(Debug, Default)]
pub struct Scripts(BTreeMap<String, Hooks>);

impl Scripts {
    pub fn new(config: &Config) -> Self {
        let mut scripts = config.scripts.clone();
        for (word, hooks) in [
            (Event::Pre.word(), &config.prerotate),
            (Event::Post.word(), &config.postrotate),
        ] {
            if !hooks.is_empty() {
                scripts.insert(word.to_owned(), Hooks::Several(hooks.clone()));
            }
        }
        if let Some(channel) = &config.mail {
            let channel = channel.clone();
            let hook = Hooks::One(Hook::Channel(ChannelHook { channel }));
            scripts.insert("mail".to_owned(), hook);
        }
        Self(scripts)
    }

    /// Those of an event: the one named for the very script first, then for the entry,
    /// then for all.
    fn of(&self, section: &Section, event: Event) -> Option<Vec<Hook>> {
        let word = event.word();
        let script = section.options.scripts.get(&event);
        let exact = script.map(|script| format!("{word}@{}:{}", script.file, script.line));
        let entry = section
            .patterns
            .first()
            .map(|pattern| format!("{word}@{pattern}"));
        let keys = exact.into_iter().chain(entry).chain([word.to_owned()]);
        let found = keys.filter_map(|key| self.0.get(&key)).next();
        found.map(Hooks::list)
    }

    /// What mails an archive to the section's address.
    fn mail(&self, section: &Section) -> Option<Vec<Hook>> {
        let address = section.options.mail.as_ref()?;
        let keys = [format!("mail@{address}"), "mail".to_owned()];
        keys.iter().find_map(|key| self.0.get(key)).map(Hooks::list)
    }

    /// The first script of a section that nothing was granted for, or its mail: an archive that
    /// should be mailed does not go without.
    pub fn lacking(&self, section: &Section) -> Option<String> {
        if let (Some(address), None) = (&section.options.mail, self.mail(section)) {
            return Some(format!(
                "its archives are to be mailed to {address}, and nothing was granted for that: grant a \
                 channel or a command and name it as `scripts.mail`, or say `nomail`"
            ));
        }
        let mut events = section.options.scripts.iter();
        let (event, script) = events.find(|(event, _)| self.of(section, **event).is_none())?;
        let word = event.word();
        Some(format!(
            "its {word} ({}:{}) is shell text, which nothing runs here: grant a signal or a command, and \
             name it as `scripts.{word}`",
            script.file, script.line
        ))
    }

    /// Runs what stands for an event; nothing where there is no such script. `paths` are
    /// handed to commands whose grant has a place for them.
    pub fn run(
        &self,
        ground: &Ground,
        section: &Section,
        event: Event,
        paths: &[&str],
    ) -> Result<()> {
        match self.of(section, event) {
            Some(hooks) => all(ground, &place(section, event), &hooks, paths),
            None => Ok(()),
        }
    }

    /// Mails an archive, where the section says so.
    pub fn send(&self, ground: &Ground, section: &Section, archive: &str) -> Result<()> {
        for hook in &self.mail(section).unwrap_or_default() {
            match hook {
                Hook::Channel(hook) => letter::send(ground, &hook.channel, archive)?,
                Hook::Name(name) => match one(ground, "mail", hook, &[archive]) {
                    Err(Error::Denied(_)) => letter::send(ground, name, archive)?,
                    done => done?,
                },
                hook => one(ground, "mail", hook, &[archive])?,
            }
        }
        Ok(())
    }
}

/// An event, and where its script stands.
fn place(section: &Section, event: Event) -> String {
    match section.options.scripts.get(&event) {
        Some(script) => format!("{} in {}:{}", event.word(), script.file, script.line),
        None => event.word().to_owned(),
    }
}

fn all(ground: &Ground, word: &str, hooks: &[Hook], paths: &[&str]) -> Result<()> {
    hooks
        .iter()
        .try_for_each(|hook| one(ground, word, hook, paths))
}

fn one(ground: &Ground, word: &str, hook: &Hook, paths: &[&str]) -> Result<()> {
    match hook {
        Hook::Signal(hook) => signal(ground, word, &hook.signal),
        Hook::Run(hook) => command(ground, word, &hook.run, paths),
        Hook::Channel(hook) => Err(Error::Invalid(format!(
            "the channel `{}` stands for {word}, and channels are for `mail` alone",
            hook.channel
        ))),
        Hook::Name(name) => match signal(ground, word, name) {
            Err(Error::Denied(denial)) => match command(ground, word, name, paths) {
                Err(Error::Denied(_)) => Err(Error::Denied(denial)),
                done => done,
            },
            done => done,
        },
    }
}

fn signal(ground: &Ground, word: &str, name: &str) -> Result<()> {
    ground.say(&format!("{word}: signal `{name}`"));
    if ground.context.dry_run() {
        return Ok(());
    }
    ground.context.signal(name)
}

fn command(ground: &Ground, word: &str, name: &str, paths: &[&str]) -> Result<()> {
    ground.say(&format!("{word}: run `{name}`"));
    if ground.context.dry_run() {
        return Ok(());
    }
    let guests: Vec<_> = paths.iter().map(|path| ground.guest(path)).collect();
    let guests: Vec<_> = guests.iter().map(String::as_str).collect();
    let outcome = match guests.is_empty() {
        true => ground.context.run_command(name)?,
        false => ground.context.run_command_on(name, &guests)?,
    };
    for line in outcome.stdout.lines().chain(outcome.stderr.lines()) {
        ground.context.info(format!("{word} `{name}`: {line}"));
        ground.output(line);
    }
    if outcome.code == 0 {
        return Ok(());
    }
    let said = outcome.stderr.lines().next().unwrap_or_default();
    Err(Error::Failed(format!(
        "the command `{name}` ({word}) ended with {}: {said}",
        outcome.code
    )))
}
