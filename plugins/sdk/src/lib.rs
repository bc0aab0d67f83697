//! mhost-sdk
