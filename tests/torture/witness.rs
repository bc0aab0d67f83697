//! A web server that counts who asks. Some are kept waiting, so that there is always a run
//! in the middle of its work.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::faults::pause;

/// One path in so many is answered late.
const LATE: usize = 10;

#[derive(Clone)]
pub struct Witness {
    pub origin: String,
    calls: Arc<Mutex<HashMap<String, usize>>>,
}

impl Witness {
    /// Serves until the test ends.
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let witness = Self {
            origin: format!("http://{}", listener.local_addr().unwrap()),
            calls: Arc::default(),
        };
        let server = witness.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                std::thread::spawn(move || server.answer(stream));
            }
        });
        witness
    }

    /// How often a path was asked for.
    pub fn calls(&self, path: &str) -> usize {
        self.calls.lock().unwrap().get(path).copied().unwrap_or(0)
    }

    /// The caller may be killed at any point.
    fn answer(&self, stream: TcpStream) -> Option<()> {
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).ok()?;
        let path = line.split(' ').nth(1)?.trim_start_matches('/').to_owned();
        *self.calls.lock().unwrap().entry(path.clone()).or_default() += 1;
        let number: usize = path.trim_start_matches('t').parse().ok()?;
        if number.is_multiple_of(LATE) {
            pause(Duration::from_millis(400));
        }
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
        (&stream).write_all(answer.as_bytes()).ok()
    }
}
