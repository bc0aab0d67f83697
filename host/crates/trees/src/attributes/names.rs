//! Whether an entry has extended attributes at all: asked for each entry of a listing, and
//! mostly answered with no.

use std::ffi::CStr;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rustix::io::Errno;

use super::by_handle;

/// The number of `listxattrat`, which Linux has since 6.13, in the table that all newer
/// architectures share.
const LISTXATTRAT: i64 = 465;

/// The kernel said that it has no such call.
static MISSING: AtomicBool = AtomicBool::new(cfg!(not(any(
    target_arch = "x86_64",
    target_arch = "aarch64"
))));

pub(super) fn none_at(folder: BorrowedFd<'_>, name: &CStr) -> bool {
    let mut names = [0; 256];
    let answer = match MISSING.load(Relaxed) {
        true => Err(Errno::NOSYS),
        false => direct(folder, name, &mut names),
    };
    let answer = match answer {
        Err(Errno::NOSYS | Errno::PERM) => {
            MISSING.store(true, Relaxed);
            rustix::fs::llistxattr(by_handle(folder, name), &mut names)
        }
        answer => answer,
    };
    matches!(answer, Ok(0) | Err(Errno::NOTSUP))
}

/// By the folder's handle: a path through `/proc` costs several times as much.
fn direct(folder: BorrowedFd<'_>, name: &CStr, names: &mut [u8]) -> Result<usize, Errno> {
    use std::os::fd::AsRawFd as _;
    // SAFETY: the handle and the name live as long as the call, and the kernel writes at
    // most so many bytes into the buffer.
    let length = unsafe {
        libc::syscall(
            LISTXATTRAT,
            folder.as_raw_fd(),
            name.as_ptr(),
            libc::AT_SYMLINK_NOFOLLOW,
            names.as_mut_ptr(),
            names.len(),
        )
    };
    usize::try_from(length).map_err(|_| {
        let error = std::io::Error::last_os_error();
        Errno::from_io_error(&error).unwrap_or(Errno::IO)
    })
}
