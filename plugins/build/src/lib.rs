//! mhost-plugin-build
