//! What integration tests share: external programs that they get by themselves
//! ([`tools`]), a harness that says *ignored, because …* instead of passing
//! without having tested ([`harness`]), folders below `target/` ([`place`]), disks
//! that can be filled ([`mount`]), chance that a seed brings back ([`dice`]), what
//! processes cost ([`measure`]), and the comparison of trees ([`tree`]).
//!
//! Nothing in here knows mhost; it serves every crate's tests.

pub mod dice;
pub mod harness;
pub mod measure;
pub mod mount;
pub mod place;
pub mod servers;
pub mod tools;
pub mod tree;

pub use dice::{Dice, noise};
pub use harness::{main, trial};
pub use mount::Mount;
pub use place::{scratch, target_dir};
pub use tools::{Tool, Unavailable};
pub use tree::{assert_same_tree, files, tree_differences};
