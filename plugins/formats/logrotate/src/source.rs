//! Where a configuration's files, folders and accounts come from.

/// What lies at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    File,
    Directory,
    /// A symbolic link, FIFO, socket or device.
    Other,
}

/// The little that reading a configuration needs to know of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    pub kind: Kind,
    /// Permission bits.
    pub mode: u32,
    /// The number of its owner.
    pub uid: u32,
}

/// Answers for paths as they stand in the configuration. Reasons are for people and
/// complete `cannot read …: `.
pub trait Source {
    /// What is there, links followed; `None` where there is nothing.
    fn look(&self, path: &str) -> Result<Option<Found>, String>;
    /// The text of a file. For bytes that are no UTF-8 the replacement character stands, which
    /// is fine in comments, and a mistake elsewhere.
    fn read(&self, path: &str) -> Result<String, String>;
    /// The names in a folder, in byte order.
    fn list(&self, path: &str) -> Result<Vec<String>, String>;
    /// The number of a user or a group; `None` where there is no such name.
    fn user(&self, name: &str) -> Option<u32>;
    fn group(&self, name: &str) -> Option<u32>;
    /// Whether a configuration counts only if root owns it: whoever owns one decides what the
    /// user who rotates runs and removes.
    fn owner_must_be_root(&self) -> bool {
        false
    }
    /// What `~` stands for.
    fn home(&self) -> Option<String> {
        None
    }
}
