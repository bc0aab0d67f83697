//! How far an engine is with work that it does not tell of: by the bytes that its thread has read or written meanwhile, as
//! the kernel counts them. Both engines work on the thread that calls them.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use mhost_model::ports::database::Around;

/// Between two looks.
const PACE: Duration = Duration::from_millis(200);

/// Which bytes are those of the work.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Counted {
    Read,
    Written,
}

/// Does `work`, and tells of it as `doing`. It takes about `total` bytes, where that is known; more are told of if there
/// are more. Where the kernel keeps no account it is only told that the work began.
pub(crate) fn during<T>(
    around: &Around,
    doing: &str,
    counted: Counted,
    total: Option<u64>,
    work: impl FnOnce() -> T,
) -> T {
    let tell = |done: u64| {
        let total = total.map(|total| total.max(done));
        (around.progress)(doing, done, total);
    };
    tell(0);
    let Some(account) = Account::open(counted) else {
        return work();
    };
    let tell_now = || account.so_far().into_iter().for_each(tell);
    let done = std::thread::scope(|scope| {
        // Dropped also when the work panics, which ends the thread.
        let (ended, wait) = channel::<()>();
        scope.spawn(move || {
            while wait.recv_timeout(PACE) == Err(RecvTimeoutError::Timeout) {
                tell_now();
            }
        });
        let done = work();
        drop(ended);
        done
    });
    account.so_far().into_iter().for_each(tell);
    done
}

/// The kernel's account of the thread that opened it.
struct Account {
    file: File,
    field: &'static str,
    begun: u64,
}

impl Account {
    fn open(counted: Counted) -> Option<Self> {
        let field = match counted {
            Counted::Read => "rchar:",
            Counted::Written => "wchar:",
        };
        let mut account = Self {
            file: File::open("/proc/thread-self/io").ok()?,
            field,
            begun: 0,
        };
        account.begun = account.so_far()?;
        Some(account)
    }

    fn so_far(&self) -> Option<u64> {
        let mut bytes = [0; 512];
        let read = self.file.read_at(&mut bytes, 0).ok()?;
        let text = std::str::from_utf8(&bytes[..read]).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(self.field));
        let count: u64 = line?.trim().parse().ok()?;
        Some(count.saturating_sub(self.begun))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn the_bytes_of_the_work_are_told() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let noted = told.clone();
        let around = Around {
            progress: Arc::new(move |doing, done, total| {
                noted.lock().unwrap().push((doing.to_owned(), done, total));
            }),
            ..crate::unattended()
        };
        let mut file = tempfile::tempfile().unwrap();
        for total in [None, Some(10), Some(1 << 30)] {
            told.lock().unwrap().clear();
            let answer = during(&around, "writing", Counted::Written, total, || {
                file.write_all(&[7; 100_000]).unwrap();
                5
            });
            assert_eq!(answer, 5);
            let told = told.lock().unwrap();
            let last = told.last().unwrap();
            assert_eq!(told[0], ("writing".to_owned(), 0, total));
            assert!((100_000..200_000).contains(&last.1), "{told:?}");
            assert_eq!(last.2, total.map(|total| total.max(last.1)));
        }
    }
}
