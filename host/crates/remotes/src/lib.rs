//! mhost-remotes
