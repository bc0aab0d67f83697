//! mhost-plugin-pack
