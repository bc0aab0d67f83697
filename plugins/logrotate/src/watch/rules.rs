//! What is too much: rules over lines, the windows in which they count, and the alerts
//! that follow.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use mhost_format_logs::{Request, Severity as Level};
use mhost_sdk::units::Span;
use mhost_sdk::{Context, Failure, Result};
use regex_lite::{Regex, RegexBuilder};
use serde_json::json;

use super::config::{Config, Pattern, Severity};
use super::memory::Memory;
use super::window::{Count, Window};

/// A compiled expression may take so many bytes.
const LARGEST_REGEX: usize = 1 << 20;
/// Lines that an alert shows, and how much of each, bytes.
const SAMPLES: usize = 3;
const LONGEST_SAMPLE: usize = 300;
/// The longest key of an alert, bytes.
const LONGEST_KEY: usize = 200;

enum Test {
    Errors,
    Level(Level),
    Text(String),
    Regex(Box<Regex>),
}

enum Limit {
    /// A part of all, with at least so many.
    Rate(f64, u32),
    Count(u32),
}

/// One kind of too much.
pub struct Rule {
    /// Unique; the end of the alert's key.
    pub name: String,
    test: Test,
    but_not: Option<String>,
    limit: Limit,
    length: Duration,
    severity: Severity,
}

/// All of a task.
pub struct Rules(Vec<Rule>);

impl Rules {
    pub fn new(config: &Config) -> std::result::Result<Self, Failure> {
        let errors = config.errors.iter().map(|errors| Rule {
            name: "5xx".to_owned(),
            test: Test::Errors,
            but_not: None,
            limit: Limit::Rate(errors.rate, errors.at_least),
            length: errors.window.duration(),
            severity: errors.severity,
        });
        let events = config.events.iter().map(|events| Rule {
            name: "events".to_owned(),
            test: Test::Level(events.level.0),
            but_not: None,
            limit: Limit::Count(events.at_least),
            length: events.window.duration(),
            severity: events.severity,
        });
        let rules: Vec<_> = errors.chain(events).collect();
        let patterns = config.patterns.iter().map(pattern);
        let rules = rules.into_iter().map(Ok).chain(patterns);
        rules.collect::<std::result::Result<_, _>>().map(Self)
    }
}

fn pattern(pattern: &Pattern) -> std::result::Result<Rule, Failure> {
    let test = match (&pattern.text, &pattern.regex) {
        (Some(text), _) => Test::Text(text.clone()),
        (None, regex) => {
            let regex = regex.as_deref().unwrap_or_default();
            let compiled = RegexBuilder::new(regex).size_limit(LARGEST_REGEX).build();
            Test::Regex(Box::new(compiled.map_err(|error| {
                Failure::permanent(format!(
                    "the regular expression `{regex}` of the pattern `{}` cannot be used: {error}",
                    pattern.name
                ))
            })?))
        }
    };
    Ok(Rule {
        name: format!("pattern {}", pattern.name),
        test,
        but_not: pattern.but_not.clone(),
        limit: Limit::Count(pattern.at_least),
        length: pattern.window.duration(),
        severity: pattern.severity,
    })
}

/// A line with what was read of it.
pub struct Seen<'l> {
    pub text: &'l str,
    pub request: Option<Request>,
    pub level: Option<Level>,
    /// When it counts, seconds since 1970.
    pub second: u64,
}

impl Rule {
    /// Whether the line counts at all, and whether it is one of those.
    fn counts(&self, line: &Seen<'_>) -> Option<bool> {
        let hit = match &self.test {
            Test::Errors => return Some(line.request?.status >= 500),
            Test::Level(level) => line.level? >= *level,
            Test::Text(text) => line.text.contains(text.as_str()),
            Test::Regex(regex) => regex.is_match(line.text),
        };
        let other = self.but_not.as_ref();
        let hit = hit && !other.is_some_and(|text| line.text.contains(text.as_str()));
        hit.then_some(true)
    }

    fn exceeded(&self, count: Count) -> bool {
        match self.limit {
            Limit::Rate(rate, at_least) => {
                let part = f64::from(count.hits) / f64::from(count.all.max(1));
                count.hits > 0 && count.all >= at_least && part >= rate
            }
            Limit::Count(at_least) => count.hits >= at_least,
        }
    }

    fn sentence(&self, log: &str, count: Count) -> String {
        let within = Span::new(self.length);
        let many = |one: &str, more: &str| match count.hits {
            1 => format!("1 {one}"),
            hits => format!("{hits} {more}"),
        };
        match (&self.test, &self.limit) {
            (Test::Errors, Limit::Rate(rate, _)) => format!(
                "`{log}`: {} of {} requests within {within} ended with 5xx ({}; the limit is {})",
                count.hits,
                count.all,
                percent(f64::from(count.hits) / f64::from(count.all.max(1))),
                percent(*rate)
            ),
            (Test::Level(level), _) => format!(
                "`{log}`: {} of {level} or worse within {within}",
                many("event", "events")
            ),
            _ => format!(
                "`{log}`: {} within {within} for the {}",
                many("line", "lines"),
                self.name
            ),
        }
    }
}

fn percent(part: f64) -> String {
    let tenths = (part * 1000.0).round() / 10.0;
    format!("{tenths} %")
}

/// One rule's count over one log.
struct Counted {
    window: Window,
    /// The worst that was too much since the last run.
    worst: Option<Count>,
    samples: VecDeque<String>,
    hits: u64,
}

impl Counted {
    fn judge(&mut self, rule: &Rule, count: Option<Count>) {
        let worse = |count: &Count| self.worst.is_none_or(|worst| count.hits > worst.hits);
        if let Some(count) = count.filter(|count| rule.exceeded(*count)).filter(worse) {
            self.worst = Some(count);
        }
    }

    fn sample(&mut self, text: &str) {
        let text = &text[..text.floor_char_boundary(LONGEST_SAMPLE)];
        self.samples.push_back(text.replace(char::is_control, " "));
        if self.samples.len() > SAMPLES {
            self.samples.pop_front();
        }
    }
}

/// All rules over one log.
pub struct Standing<'r> {
    rules: &'r Rules,
    counted: Vec<Counted>,
    /// Rules of earlier runs that the configuration has no more.
    dropped: Vec<String>,
}

impl<'r> Standing<'r> {
    pub fn new(rules: &'r Rules, before: Option<&Memory>) -> Self {
        let before = before.map(|memory| &memory.windows);
        let window = |rule: &Rule| {
            let known = before.and_then(|windows| windows.get(&rule.name)).cloned();
            let known = known.filter(|window| window.fits(rule.length));
            known.unwrap_or_else(|| Window::new(rule.length))
        };
        let counted = rules.0.iter().map(|rule| Counted {
            window: window(rule),
            worst: None,
            samples: VecDeque::new(),
            hits: 0,
        });
        let known = |name: &&String| rules.0.iter().any(|rule| rule.name == **name);
        let dropped = before.into_iter().flat_map(BTreeMap::keys);
        Self {
            rules,
            counted: counted.collect(),
            dropped: dropped.filter(|name| !known(name)).cloned().collect(),
        }
    }

    /// Counts a line.
    pub fn line(&mut self, line: &Seen<'_>) {
        for (rule, counted) in self.rules.0.iter().zip(&mut self.counted) {
            let Some(hit) = rule.counts(line) else {
                continue;
            };
            let left = counted.window.add(line.second, hit);
            counted.judge(rule, left);
            if hit {
                counted.hits += 1;
                counted.sample(line.text);
            }
        }
    }

    /// Raises what is too much, and takes back what is no more; what stands, by rule.
    pub fn settle(&mut self, context: &Context<'_>, log: &str) -> Result<Vec<String>> {
        let mut standing = Vec::new();
        for (rule, counted) in self.rules.0.iter().zip(&mut self.counted) {
            let left = counted.window.advance(context.now() / 1000);
            counted.judge(rule, left);
            let now = counted.window.count();
            counted.judge(rule, Some(now));
            let key = key(log, &rule.name);
            match counted.worst {
                Some(worst) => {
                    let short = rule.sentence(log, worst);
                    let last = counted.samples.back();
                    let message = last.map_or(short.clone(), |last| format!("{short}: {last}"));
                    let details = json!({
                        "log": log,
                        "rule": rule.name,
                        "hits": worst.hits,
                        "all": worst.all,
                        "window_s": rule.length.as_secs(),
                        "lines": counted.samples,
                    });
                    if !context.dry_run() {
                        let severity = rule.severity.told();
                        let alerts = context.alerts();
                        alerts.raise_json(&key, severity, &message, &details)?;
                    }
                    standing.push(short);
                }
                None if !context.dry_run() => {
                    context.alerts().resolve(&key, &rule.sentence(log, now))?;
                }
                None => {}
            }
        }
        self.resolve_dropped(context, log)?;
        Ok(standing)
    }

    fn resolve_dropped(&self, context: &Context<'_>, log: &str) -> Result<()> {
        for name in self.dropped.iter().filter(|_| !context.dry_run()) {
            let why = format!("`{log}`: nobody watches for the {name} any more");
            context.alerts().resolve(&key(log, name), &why)?;
        }
        Ok(())
    }

    /// Of a log that is watched no more.
    pub fn resolve_all(&self, context: &Context<'_>, log: &str) -> Result<()> {
        for rule in self.rules.0.iter().filter(|_| !context.dry_run()) {
            let why = format!("`{log}` is gone, or watched no more");
            context.alerts().resolve(&key(log, &rule.name), &why)?;
        }
        self.resolve_dropped(context, log)
    }

    /// Windows that hold anything, by rule.
    pub fn windows(&self) -> BTreeMap<String, Window> {
        let windows = self.rules.0.iter().zip(&self.counted);
        windows
            .filter(|(_, counted)| counted.window.count() != Count::default())
            .map(|(rule, counted)| (rule.name.clone(), counted.window.clone()))
            .collect()
    }

    /// Lines that hit each rule in this run.
    pub fn hits(&self) -> BTreeMap<String, u64> {
        let counted = self.rules.0.iter().zip(&self.counted);
        let counted = counted.map(|(rule, counted)| (rule.name.clone(), counted.hits));
        counted.collect()
    }
}

/// What names the alert. Of a path that is too long, the end tells more.
fn key(log: &str, rule: &str) -> String {
    let room = LONGEST_KEY - rule.len() - 1;
    let log = log.replace(char::is_control, "?");
    if log.len() <= room {
        return format!("{log} {rule}");
    }
    let cut = log.ceil_char_boundary(log.len() - (room - '…'.len_utf8()));
    format!("…{} {rule}", &log[cut..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_bounded_and_one_line() {
        assert_eq!(key("/logs/a.log", "5xx"), "/logs/a.log 5xx");
        let long = key(&format!("/logs/{}\n.log", "é".repeat(300)), "pattern x");
        assert!(long.len() <= LONGEST_KEY && long.starts_with('…'), "{long}");
        assert!(long.ends_with("?.log pattern x"), "{long}");
    }
}
