//! The Rust SDK for mhost's plugins.
//!
//! A plugin is a function that returns a [`Plugin`]: named actions, each a
//! function of a [`Context`] and a typed configuration. [`export!`] makes a
//! component of it; on other targets the same code is an ordinary library, which
//! unit tests run against `testing::NativeHost` (feature `testing`).
//! `plugins/examples/hello` is the smallest one.
//!
//! The contract itself is in `wit/`. This crate adds no power to it: everything
//! goes through the component's imports, where the host checks the grants.

pub mod alerts;
pub mod bindings;
#[cfg(target_family = "wasm")]
pub mod component;
mod context;
pub mod database;
mod faults;
pub mod files;
mod host;
pub mod http;
pub mod log;
pub mod plugin;
pub mod probe;
pub mod processes;
pub mod progress;
#[cfg(feature = "queue")]
pub mod queue;
pub mod remote;
mod report;
pub mod repository;
pub mod state;
pub mod tasks;
#[cfg(all(feature = "testing", not(target_family = "wasm")))]
pub mod testing;
pub mod trees;
pub mod units;
pub mod watch;

pub use context::{Context, Told};
pub use faults::{Denial, Error, Optional, Result};
pub use host::Host;
pub use plugin::{Access, Action, Capability, Manifest, Plugin};
pub use report::{Artifact, Capped, Doing, Failure, Figure, Report};

/// Makes a component of the function that returns the [`Plugin`]. Nothing on
/// targets other than wasm, where the exports' names could not be linked.
#[macro_export]
macro_rules! export {
    ($plugin:path) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            use $crate::bindings::exports::mhost::plugin::plugin as contract;

            struct Component;

            impl contract::Guest for Component {
                fn describe() -> contract::Manifest {
                    $plugin().manifest()
                }

                fn run(
                    context: contract::Context,
                ) -> ::core::result::Result<contract::Report, contract::Failure> {
                    $crate::component::run(&$plugin(), context)
                }
            }

    $crate::bindings::export!(Component with_types_in $crate::bindings);
        };
    };
}
