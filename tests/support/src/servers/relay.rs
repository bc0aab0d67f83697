//! A relay between a client and a server, which makes things happen in the middle of what is
//! being sent.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What happens once so many bytes went to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Nothing more gets through, and [`Relay::wait`] returns.
    Hold,
    /// The connection is cut, and the count begins anew; so often.
    Cut(u32),
}

/// See the module. Its threads end with the process.
#[derive(Debug)]
pub struct Relay {
    pub port: u16,
    reached: Receiver<()>,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    to: u16,
    limit: u64,
    then: Then,
    sent: AtomicU64,
    cuts: AtomicU32,
    reach: Mutex<Sender<()>>,
}

impl Relay {
    /// To a port of this machine.
    #[track_caller]
    pub fn new(to: u16, limit: u64, then: Then) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap_or_else(|e| panic!("{e}"));
        let port = listener.local_addr().map_or(0, |address| address.port());
        let (reach, reached) = channel();
        let state = Arc::new(State {
            to,
            limit,
            then,
            sent: AtomicU64::new(0),
            cuts: AtomicU32::new(0),
            reach: Mutex::new(reach),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&shared);
                thread::spawn(move || carry(client, &state));
            }
        });
        Self {
            port,
            reached,
            state,
        }
    }

    /// Until the limit was reached.
    #[track_caller]
    pub fn wait(&self) {
        let told = self.reached.recv_timeout(super::READY);
        assert!(
            told.is_ok(),
            "never so much was sent: {:?}",
            self.state.sent
        );
    }

    pub fn cuts(&self) -> u32 {
        self.state.cuts.load(Ordering::SeqCst)
    }
}

fn carry(mut client: TcpStream, state: &State) {
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", state.to)) else {
        return;
    };
    let (Ok(mut back), Ok(mut from)) = (client.try_clone(), server.try_clone()) else {
        return;
    };
    thread::spawn(move || {
        // Whoever ends first ends both.
        let _ = std::io::copy(&mut from, &mut back);
        let _ = back.shutdown(Shutdown::Both);
    });
    let mut buffer = [0; 16 << 10];
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        if !state.passes(count as u64) {
            break;
        }
        if server.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    if state.holds() {
        // Whoever sends waits until it is ended: both connections stay as they are.
        loop {
            thread::park();
        }
    }
    let _ = server.shutdown(Shutdown::Both);
    let _ = client.shutdown(Shutdown::Both);
}

impl State {
    fn holds(&self) -> bool {
        self.then == Then::Hold && self.sent.load(Ordering::SeqCst) >= self.limit
    }

    /// Whether so many more bytes may go on.
    fn passes(&self, count: u64) -> bool {
        let before = self.sent.fetch_add(count, Ordering::SeqCst);
        if before + count < self.limit {
            return true;
        }
        match self.then {
            Then::Hold => {
                let reach = self.reach.lock().unwrap_or_else(PoisonError::into_inner);
                // Only the first is waited for.
                let _ = reach.send(());
                false
            }
            Then::Cut(times) if self.cuts.load(Ordering::SeqCst) < times => {
                self.cuts.fetch_add(1, Ordering::SeqCst);
                self.sent.store(0, Ordering::SeqCst);
                false
            }
            Then::Cut(_) => true,
        }
    }
}
