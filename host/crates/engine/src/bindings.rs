//! The contract of `wit/` as Rust: generated, nothing else. What a host function
//! does stands in [`crate::capabilities`].

wasmtime::component::bindgen!({
    path: "../../../wit",
    world: "maintenance",
    imports: {
        // What these carry belongs into no trace.
        "mhost:plugin/secrets.get": async | trappable,
        "mhost:plugin/alerts.send": async | trappable,
        "wasi:keyvalue/store": async | trappable,
        "wasi:config/store": async | trappable,
        default: async | trappable | tracing,
    },
    exports: { default: async },
    with: {
        "mhost:plugin/files.walk": crate::capabilities::files::Walk,
        "mhost:plugin/trees.listing": crate::capabilities::trees::Listing,
        "mhost:plugin/files.file-lock": crate::capabilities::files::FileLock,
        "mhost:plugin/files.expanding": crate::capabilities::files::Expanding,
        "mhost:plugin/database.connection": crate::capabilities::database::Connection,
        "mhost:plugin/database.transaction": crate::capabilities::database::Transaction,
        "mhost:plugin/repository.handle": crate::capabilities::repository::Handle,
        "mhost:plugin/probe.batch": crate::capabilities::probe::Batch,
        "mhost:plugin/remote.store": crate::capabilities::remote::Store,
        "mhost:plugin/remote.writer": crate::capabilities::remote::Writer,
        "wasi:keyvalue/store.bucket": crate::capabilities::state::Bucket,
    },
    trappable_error_type: {
        "mhost:plugin/faults.error" => crate::refusal::Refusal,
    },
});
