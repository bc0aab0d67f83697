//! The configuration from outside: mistakes as a person sees them, documents that hold,
//! the difference to a store, and back to text.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod config {
    mod broken;
    mod exec;
    mod export;
    mod fuzz;
    mod good;
    mod plan;
    mod reference;
    mod support;
}
