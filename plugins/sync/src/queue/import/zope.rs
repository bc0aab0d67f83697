//! Objects of a live Zope, by its own pages.

use base64::Engine as _;
use mhost_sdk::files::{Files, join};
use mhost_sdk::http::{Request, Response};
use mhost_sdk::{Context, Doing as _, Error, Failure, Optional as _, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::super::config::ZopeEnd;
use super::super::item::{Header, Noun};
use super::{Item, Outcome};

/// An exported object is no larger.
const MOST: usize = 64 << 20;

/// What a path may hold as it is.
const IN_PATHS: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/');

/// One Zope.
pub struct End<'a> {
    context: &'a Context<'a>,
    url: String,
    authorization: String,
}

impl<'a> End<'a> {
    pub fn new(
        context: &'a Context<'a>,
        url: &str,
        secret: &str,
    ) -> std::result::Result<Self, Failure> {
        let user = context
            .secret(secret)
            .doing(|| format!("read the secret for {url}"))?;
        let encoded = base64::engine::general_purpose::STANDARD.encode(user);
        Ok(Self {
            context,
            url: url.trim_end_matches('/').to_owned(),
            authorization: format!("Basic {encoded}"),
        })
    }

    fn ask(&self, request: Request) -> Result<Response> {
        let request = Request {
            max_body: MOST,
            ..request.header("authorization", &self.authorization)
        };
        let answers = self.context.fetch(&[request]);
        match answers.into_iter().next() {
            // Nobody answered: later somebody may.
            Some(Err(Error::Failed(text))) => Err(Error::Busy(text)),
            Some(answer) => answer,
            None => Err(Error::Failed("the host lost the answer".to_owned())),
        }
    }

    fn get(&self, path: &str) -> Result<Response> {
        self.ask(Request::get(&format!("{}{path}", self.url)))
    }

    fn post(&self, path: &str, form: &str) -> Result<Response> {
        let url = format!("{}{path}", self.url);
        let request = Request::post(&url, form.as_bytes().to_vec());
        self.ask(request.header("content-type", "application/x-www-form-urlencoded"))
    }

    /// The object as a ZEXP; none where there is no such object.
    pub fn export(&self, path: &str) -> Result<Option<Vec<u8>>> {
        let (container, id) = place(path)?;
        if !self.exists(&container, &id)? {
            return Ok(None);
        }
        let answer = self.get(&format!(
            "{}/manage_exportObject?id={}&download:int=1",
            encoded(&container),
            encoded(&id)
        ))?;
        let whole = answer.status == 200 && !answer.cut && answer.body.starts_with(b"ZEXP");
        match whole {
            true => Ok(Some(answer.body)),
            false => Err(self.refused("export the object", path, &answer)),
        }
    }

    /// Whether a container has an object of this id itself: what it only acquires from
    /// above says another path.
    fn exists(&self, container: &str, id: &str) -> Result<bool> {
        let path = encoded(&format!("{container}/{id}"));
        let answer = self.get(&format!("{path}/absolute_url_path"))?;
        match answer.status {
            200 => Ok(String::from_utf8_lossy(&answer.body)
                .trim()
                .ends_with(&path)),
            404 => Ok(false),
            _ => Err(self.refused("look for", &format!("{container}/{id}"), &answer)),
        }
    }

    fn delete(&self, container: &str, id: &str) -> Result<bool> {
        if !self.exists(container, id)? {
            return Ok(false);
        }
        let form = format!("ids:list={}", encoded(id));
        let answer = self.post(&format!("{}/manage_delObjects", encoded(container)), &form)?;
        match self.exists(container, id)? {
            false => Ok(true),
            true => Err(self.refused("delete", &format!("{container}/{id}"), &answer)),
        }
    }

    fn rename(&self, container: &str, id: &str, new: &str) -> Result<()> {
        let form = format!("id={}&new_id={}", encoded(id), encoded(new));
        let answer = self.post(
            &format!("{}/manage_renameObject", encoded(container)),
            &form,
        )?;
        match self.exists(container, new)? {
            true => Ok(()),
            false => Err(self.refused("rename", &format!("{container}/{id}"), &answer)),
        }
    }

    fn refused(&self, verb: &str, what: &str, answer: &Response) -> Error {
        let text = format!(
            "cannot {verb} {what} of {}: it answered {}",
            self.url, answer.status
        );
        match answer.status {
            401 | 403 => Error::Invalid(format!("{text}; check the secret")),
            500.. => Error::Busy(text),
            _ => Error::Failed(text),
        }
    }
}

/// The container and the id; the root is an empty container.
fn place(path: &str) -> Result<(String, String)> {
    let path = path.trim_matches('/');
    let bad = |name: &str| matches!(name, "" | "." | "..");
    if path.split('/').any(bad) {
        return Err(Error::Invalid(format!("`{path}` is no object's path")));
    }
    Ok(match path.rsplit_once('/') {
        Some((container, id)) => (format!("/{container}"), id.to_owned()),
        None => (String::new(), path.to_owned()),
    })
}

/// Percent-encoded, slashes left.
fn encoded(text: &str) -> String {
    utf8_percent_encode(text, IN_PATHS).to_string()
}

/// See the module.
pub struct Importer<'a> {
    end: End<'a>,
    folder: &'a str,
}

impl<'a> Importer<'a> {
    pub fn new(
        context: &'a Context<'a>,
        config: &'a ZopeEnd,
    ) -> std::result::Result<Self, Failure> {
        Ok(Self {
            end: End::new(context, &config.url, &config.secret)?,
            folder: &config.import,
        })
    }

    fn files(&self) -> &dyn Files {
        self.end.context.files()
    }

    /// The file that Zope is to read lies in its import folder only as long as needed.
    fn put(&self, item: &Item<'_>) -> Result<bool> {
        let (container, id) = place(item.key)?;
        let name = format!("mhost-{}.zexp", item.opened.header.sequence);
        let path = join(self.folder, &name);
        self.files().remove_file(&path).optional()?;
        self.files().create(&path, &[])?;
        self.files()
            .copy_range(item.path, item.opened.payload, None, &path, 0)?;
        let done = self.replace(&container, &id, &name);
        self.files().remove_file(&path).optional()?;
        done.map(|()| true)
    }

    /// The old object waits under another id until the new one is there: a ZEXP that
    /// cannot be read loses nothing.
    fn replace(&self, container: &str, id: &str, name: &str) -> Result<()> {
        let old = format!("{id}.mhost-old");
        if self.end.exists(container, id)? {
            self.end.delete(container, &old)?;
            self.end.rename(container, id, &old)?;
        }
        match self.bring(container, id, name) {
            Ok(()) => self.end.delete(container, &old).map(|_| ()),
            Err(error) => {
                if self.end.exists(container, &old)? && !self.end.exists(container, id)? {
                    self.end.rename(container, &old, id)?;
                }
                Err(error)
            }
        }
    }

    fn bring(&self, container: &str, id: &str, name: &str) -> Result<()> {
        let form = format!("file={}", encoded(name));
        let answer = self.end.post(
            &format!("{}/manage_importObject", encoded(container)),
            &form,
        )?;
        // It says no word of success: the object must be there.
        match answer.status < 400 && self.end.exists(container, id)? {
            true => Ok(()),
            false => Err(self
                .end
                .refused("import", &format!("{container}/{id}"), &answer)),
        }
    }
}

impl super::Importer for Importer<'_> {
    fn takes(&self, header: &Header) -> bool {
        header.kind.noun == Noun::Object
    }

    fn apply(&self, item: &Item<'_>) -> Result<Outcome> {
        let changed = match item.opened.header.kind.deletes {
            true => {
                let (container, id) = place(item.key)?;
                self.end.delete(&container, &id)?
            }
            false => self.put(item)?,
        };
        Ok(Outcome::changed(changed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        assert_eq!(
            place("/a/b/c").unwrap(),
            ("/a/b".to_owned(), "c".to_owned())
        );
        assert_eq!(place("c").unwrap(), (String::new(), "c".to_owned()));
        assert!(place("/a/../b").is_err() && place("/").is_err());
        assert_eq!(encoded("/a b/é"), "/a%20b/%C3%A9");
    }
}
