//! Trees through the contract.

use super::Imports;
use crate::Result;
use crate::bindings::mhost::plugin::trees;
use crate::files::Lock;
use crate::trees::{Done, Facts, ListOptions, Listing, Step, Trees};

impl Listing for trees::Listing {
    fn next(&self) -> Result<Vec<u8>> {
        trees::Listing::next(self)
    }
}

impl Trees for Imports {
    fn list(&self, root: &str, options: ListOptions) -> Result<Box<dyn Listing + '_>> {
        Ok(Box::new(trees::open_listing(root, options)?))
    }

    fn look(&self, root: &str) -> Result<Facts> {
        trees::look(root)
    }

    fn apply(
        &self,
        source: Option<&str>,
        target: &str,
        beside: Option<&str>,
        steps: &[Step],
    ) -> Result<Vec<Result<Done>>> {
        trees::apply(source, target, beside, steps)
    }

    fn same(
        &self,
        left: &str,
        right: &str,
        pairs: &[(Vec<u8>, Vec<u8>)],
    ) -> Result<Vec<Result<bool>>> {
        trees::same(left, right, pairs)
    }

    fn lock(&self, root: &str) -> Result<Box<dyn Lock + '_>> {
        Ok(Box::new(trees::lock(root)?))
    }

    fn flush(&self, root: &str) -> Result<()> {
        trees::flush(root)
    }
}
