//! What a host function answers instead of a result: a [`Fault`] for the guest,
//! or a trap that ends the run. Conversion between faults and the contract's
//! `faults.error` is here alone.

use mhost_model::{Denial, Fault};
use wasmtime::component::ResourceTableError;

use crate::bindings::mhost::plugin::faults;

/// Why a host function has no result.
#[derive(Debug)]
pub enum Refusal {
    /// The guest is told, and may go on.
    Fault(Fault),
    /// The run ends.
    Trap(wasmtime::Error),
}

/// What every capability's functions return.
pub type Answer<T> = Result<T, Refusal>;

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<wasmtime::Error> for Refusal {
    fn from(error: wasmtime::Error) -> Self {
        Self::Trap(error)
    }
}

impl From<ResourceTableError> for Refusal {
    fn from(error: ResourceTableError) -> Self {
        match error {
            ResourceTableError::Full => Self::Fault(Fault::Limit(
                "limits.handles: this run holds as many handles as it may; close some, or raise the limit"
                    .into(),
            )),
            other => Self::Trap(other.into()),
        }
    }
}

impl From<Denial> for faults::Denial {
    fn from(denial: Denial) -> Self {
        let Denial {
            capability,
            target,
            verb,
            remedy,
        } = denial;
        Self {
            capability,
            target,
            verb,
            remedy,
        }
    }
}

impl From<faults::Denial> for Denial {
    fn from(denial: faults::Denial) -> Self {
        Self {
            capability: denial.capability,
            target: denial.target,
            verb: denial.verb,
            remedy: denial.remedy,
        }
    }
}

impl From<Fault> for faults::Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Denied(denial) => Self::Denied(denial.into()),
            Fault::DryRun(text) => Self::DryRun(text),
            Fault::NotFound(text) => Self::NotFound(text),
            Fault::Exists(text) => Self::Exists(text),
            Fault::Busy(text) => Self::Busy(text),
            Fault::Invalid(text) => Self::Invalid(text),
            Fault::Unsupported(text) => Self::Unsupported(text),
            Fault::Limit(text) => Self::Limit(text),
            Fault::TimedOut(text) => Self::TimedOut(text),
            Fault::Damaged(text) => Self::Damaged(text),
            Fault::Failed(text) => Self::Failed(text),
        }
    }
}

impl From<faults::Error> for Fault {
    fn from(error: faults::Error) -> Self {
        use faults::Error as E;
        match error {
            E::Denied(denial) => Self::Denied(denial.into()),
            E::DryRun(text) => Self::DryRun(text),
            E::NotFound(text) => Self::NotFound(text),
            E::Exists(text) => Self::Exists(text),
            E::Busy(text) => Self::Busy(text),
            E::Invalid(text) => Self::Invalid(text),
            E::Unsupported(text) => Self::Unsupported(text),
            E::Limit(text) => Self::Limit(text),
            E::TimedOut(text) => Self::TimedOut(text),
            E::Damaged(text) => Self::Damaged(text),
            E::Failed(text) => Self::Failed(text),
        }
    }
}
