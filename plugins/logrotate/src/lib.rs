//! mhost-plugin-logrotate
