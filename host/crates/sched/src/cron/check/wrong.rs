//! What is wrong with a part of a field, and what is said about it.

use super::{Field, ROUNDS};

pub(super) struct Wrong {
    pub(super) why: String,
    /// The nearest form; it may be wrong itself until [`Field::remedy`] has mended it.
    form: Option<String>,
    /// The remedy, with `{}` for the form.
    say: String,
}

impl Wrong {
    /// A remedy without a form of its own.
    pub(super) fn text(why: &str, remedy: &str) -> Self {
        Self {
            why: why.into(),
            form: None,
            say: remedy.into(),
        }
    }

    pub(super) fn form(why: &str, form: &str) -> Self {
        Self {
            why: why.into(),
            form: Some(form.into()),
            say: "write `{}`".into(),
        }
    }

    pub(super) fn say(self, say: &str) -> Self {
        Self {
            say: say.into(),
            ..self
        }
    }

    /// The same of a larger part, which the form makes with what stands around it.
    pub(super) fn within(self, whole: impl Fn(&str) -> String) -> Self {
        let Some(form) = self.form else { return self };
        let say = match self.say.starts_with("did you mean") {
            true => self.say,
            false => "write `{}`".into(),
        };
        Self {
            why: self.why,
            form: Some(whole(&form)),
            say,
        }
    }
}

impl Field {
    /// What to write; a form only where the field takes it.
    pub(super) fn remedy(&self, wrong: &Wrong) -> String {
        match &wrong.form {
            None => wrong.say.clone(),
            Some(form) => match self.mended(form, ROUNDS) {
                Some(form) => wrong.say.replace("{}", &form),
                None => self.takes(),
            },
        }
    }

    fn mended(&self, form: &str, rounds: u32) -> Option<String> {
        let items = form.split(',').map(|item| match self.item(item) {
            Ok(()) => Some(item.to_owned()),
            Err(wrong) if rounds > 0 => self.mended(&wrong.form?, rounds - 1),
            Err(_) => None,
        });
        Some(items.collect::<Option<Vec<_>>>()?.join(","))
    }
}
