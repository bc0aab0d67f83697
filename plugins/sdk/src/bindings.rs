//! The contract as Rust, generated from `wit/`. The records are plain data on
//! every target; the functions and resources work in a component only, where
//! `component` alone uses them.

wit_bindgen::generate!({
    path: "../../wit",
    world: "maintenance",
    generate_all,
    pub_export_macro: true,
    with: { "mhost:plugin/faults@0.1.1": crate::faults },
    additional_derives: [PartialEq, Clone, serde::Serialize, serde::Deserialize],
});
