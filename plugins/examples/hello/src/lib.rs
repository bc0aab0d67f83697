//! mhost-example-hello
