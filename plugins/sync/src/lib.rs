//! mhost-plugin-sync
