//! The directories that the merge is in, from the root down: what they should be like in
//! the end, and whether something in them changes.

use mhost_sdk::files::Changes;

use super::{Change, Code, Plan, What};
use crate::mirror::stream::below;

/// One directory that both sides have, or that is made.
#[derive(Debug)]
pub struct Folder {
    pub path: Vec<u8>,
    /// All that it should have in the end.
    pub wanted: Changes,
    pub attributes: bool,
    /// What differs already; none where nothing does.
    pub code: Option<Code>,
    /// Its mode in the target, where it is there.
    pub mode: Option<u32>,
    touched: bool,
}

impl Folder {
    pub fn new(path: &[u8], wanted: Changes, attributes: bool) -> Self {
        Self {
            path: path.to_vec(),
            wanted,
            attributes,
            code: None,
            mode: None,
            touched: false,
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Folders(Vec<Folder>);

impl Folders {
    /// Leaves the directories that a path does not lie in.
    pub fn leave_for(&mut self, path: &[u8], plan: &mut Plan) {
        while let Some(folder) = self.0.last() {
            if below(path, &folder.path) {
                return;
            }
            self.leave(plan);
        }
    }

    fn leave(&mut self, plan: &mut Plan) {
        let Some(folder) = self.0.pop() else {
            return;
        };
        if folder.touched || folder.code.is_some() {
            plan.finish.push(Change {
                code: folder.code.unwrap_or(Code::same(b'.', b'd')),
                path: folder.path,
                what: What::Metadata {
                    changes: Box::new(folder.wanted),
                    attributes: folder.attributes,
                },
            });
        }
    }

    /// Leaves all of them.
    pub fn end(&mut self, plan: &mut Plan) {
        while !self.0.is_empty() {
            self.leave(plan);
        }
    }

    pub fn enter(&mut self, folder: Folder) {
        self.0.push(folder);
    }

    /// Something in the innermost directory changes.
    pub fn touch(&mut self, plan: &mut Plan) {
        let Some(folder) = self.0.last_mut() else {
            return;
        };
        if folder.touched {
            return;
        }
        folder.touched = true;
        // Its owner must be able to change what is in it meanwhile.
        if let Some(mode) = folder.mode.filter(|mode| mode & 0o300 != 0o300) {
            plan.open.push(Change {
                path: folder.path.clone(),
                what: What::Metadata {
                    changes: Box::new(Changes {
                        mode: Some(mode | 0o700),
                        uid: None,
                        gid: None,
                        modified: None,
                        accessed: None,
                    }),
                    attributes: false,
                },
                code: Code::same(b'.', b'd'),
            });
        }
    }
}
