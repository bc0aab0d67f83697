//! mhost
