//! mhost-repositories
