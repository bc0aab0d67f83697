//! Objects of a Zope, as it exports them.

use mhost_sdk::{Context, Doing as _, Failure};

use super::super::config;
use super::super::import::zope;
use super::super::item::Noun;
use super::Thing;

pub fn collect(
    context: &Context<'_>,
    config: &config::Objects,
    things: &mut Vec<Thing>,
) -> Result<(), Failure> {
    for path in &config.paths {
        let end = zope::End::new(context, &config.zope, &config.secret)?;
        let exported = end
            .export(path)
            .doing(|| format!("export the object {path} of {}", config.zope))?;
        let Some(payload) = exported else {
            continue;
        };
        let key = path.trim_start_matches('/').to_owned();
        things.push(Thing::of_bytes(Noun::Object, key, payload));
    }
    Ok(())
}
