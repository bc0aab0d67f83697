//! The way out to the network for `http` and `probe`: names are resolved once, every
//! address is checked, and the connection goes to a checked address.
//!
//! Whether a task may talk to an origin is the granter's to say; what is said on a
//! connection is the capabilities'.

mod address;
#[cfg(test)]
pub(crate) mod bench;
mod dial;
mod records;
mod resolver;
mod trust;

pub(crate) use dial::{DialError, Dialed, Family, Stream, addresses, dial};
pub use records::RecordKind;
pub use resolver::{Resolver, SystemResolver};
pub(crate) use trust::Trust;

use std::sync::{Arc, OnceLock};

use tokio_rustls::rustls::pki_types::CertificateDer;

/// How the engine reaches the network; shared by all runs.
#[derive(Debug)]
pub struct Network {
    pub(crate) resolver: Arc<dyn Resolver>,
    extra_roots: Vec<CertificateDer<'static>>,
    trust: OnceLock<Trust>,
}

impl Network {
    /// The machine's resolver, and the authorities that the machine trusts.
    pub fn system() -> Self {
        Self::new(Arc::new(SystemResolver), Vec::new())
    }

    /// Another resolver, and authorities to be trusted beside the machine's, in DER.
    pub fn new(resolver: Arc<dyn Resolver>, extra_roots: Vec<CertificateDer<'static>>) -> Self {
        Self {
            resolver,
            extra_roots,
            trust: OnceLock::new(),
        }
    }

    /// Whom to trust; read from the machine when it is first needed.
    pub(crate) fn trust(&self) -> &Trust {
        self.trust.get_or_init(|| Trust::load(&self.extra_roots))
    }
}
