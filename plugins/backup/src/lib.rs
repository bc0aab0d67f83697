//! mhost-plugin-backup
