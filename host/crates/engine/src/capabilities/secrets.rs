//! `mhost:plugin/secrets`: a value is masked from the moment it is handed out.

use mhost_model::{Fault, FaultResult};
use wasmtime::component::Linker;

use crate::bindings::mhost::plugin::secrets::{self, Host};
use crate::permits::{Permit, SecretUse};
use crate::refusal::Answer;
use crate::state::{Call, Calls, RunState, Shared, enter};

/// The longest secret, bytes.
const LONGEST: usize = 64 << 10;

pub(crate) fn add_to_linker(linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    secrets::add_to_linker::<_, Calls>(linker, enter)
}

impl Host for Call<'_> {
    async fn get(&mut self, name: String) -> Answer<String> {
        let permit = self.shared.granter.secret(&name)?;
        Ok(read(&self.shared, &permit)?)
    }
}

/// The value of a permitted secret, also for the host's own use (a repository's
/// password).
pub(crate) fn read(shared: &Shared, permit: &Permit<SecretUse>) -> FaultResult<String> {
    let mut value = shared.secrets.read(&permit.source)?;
    if value.ends_with('\n') {
        value.pop();
        value.truncate(value.strip_suffix('\r').unwrap_or(&value).len());
    }
    if value.len() > LONGEST {
        return Err(Fault::Limit(format!(
            "secrets.{}: the value has {} bytes, and a secret may have {LONGEST}",
            permit.name,
            value.len()
        )));
    }
    shared.masks.add(&value);
    permit.used();
    Ok(value)
}
