//! What the schema cannot say of a configuration.

use mhost_sdk::Failure;

use super::convert::days;
use super::{Config, Frequency};

impl Config {
    /// Whether the options go together; which do not, with the remedy.
    pub fn check(&self) -> Result<(), Failure> {
        let wrong = |why: &str| Err(Failure::permanent(why));
        let ways = [
            self.conf.is_some(),
            self.conf_text.is_some(),
            !self.logs.is_empty(),
        ];
        match ways.iter().filter(|way| **way).count() {
            0 => {
                return wrong(
                    "`logs` names no log: give guest paths or patterns such as `/logs/*.log`, or a \
                     logrotate configuration as `conf` or `conf_text`",
                );
            }
            1 => {}
            _ => return wrong("give one of `conf`, `conf_text` and `logs`, not several"),
        }
        if self.logs.is_empty() {
            return Ok(());
        }
        self.check_typed()
    }

    fn check_typed(&self) -> Result<(), Failure> {
        let wrong = |why: String| Err(Failure::permanent(why));
        for log in &self.logs {
            if !log.starts_with('/') || log.split('/').any(|name| name == "..") {
                return wrong(format!(
                    "`logs` holds `{log}`, which is no guest path: write `/GRANT/NAME`"
                ));
            }
        }
        if self.size.is_some() && self.frequency.is_some() {
            return wrong(
                "`size` and `frequency` exclude each other: with a frequency, use `minsize` (both must \
                 hold) or `maxsize` (either is enough)"
                    .to_owned(),
            );
        }
        if self.size.is_some() && self.maxsize.is_some() {
            return wrong("`size` and `maxsize` say the same here: leave one out".to_owned());
        }
        if (self.copytruncate || self.copy) && self.create.is_some() {
            return wrong(
                "`copytruncate` and `copy` keep the log, so there is nothing to `create`: leave one out"
                    .to_owned(),
            );
        }
        let methods = [self.copytruncate, self.copy, self.renamecopy];
        if methods.iter().filter(|method| **method).count() > 1 {
            return wrong("choose one of `copytruncate`, `copy` and `renamecopy`".to_owned());
        }
        if self.delaycompress && self.compress.0.is_none() {
            return wrong(
                "`delaycompress` needs `compress`: set it to `gzip`, `zstd` or `xz`".to_owned(),
            );
        }
        if self.mailfirst && self.mail.is_none() {
            return wrong("`mailfirst` needs `mail`: name a granted channel".to_owned());
        }
        if let Some(age) = self.maxage
            && days(age).is_none()
        {
            return wrong(format!(
                "`maxage` is {age}, and counts whole days: write `1 day` or more, or leave it out to keep \
                 archives of any age"
            ));
        }
        if self.weekday.is_some() && self.frequency != Some(Frequency::Weekly) {
            return wrong("`weekday` needs `frequency = \"weekly\"`".to_owned());
        }
        Ok(())
    }
}
