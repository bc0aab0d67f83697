//! mhost-plugin-ping
