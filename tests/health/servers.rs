//! Servers on the loopback that behave badly. Each ends with the test's process.

#![allow(
    clippy::disallowed_methods,
    reason = "a peer that drips or stalls is what is tested here"
)]

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::Duration;

/// What a server does on each connection.
#[derive(Clone)]
pub enum Bad {
    /// Reads a request's head, and answers with these bytes.
    Answers(Vec<u8>),
    /// Answers with the status that is there now.
    Status(Arc<AtomicU16>),
    /// Says these bytes at once, and answers each line with the next.
    Speaks(Vec<&'static str>),
    /// Accepts, and says nothing.
    Silent,
    /// Answers with the first bytes, and then a byte at a time for ever.
    Drips(&'static str),
    /// Answers with the first bytes, and then as fast as it can for ever.
    Floods(&'static str),
    /// Says these bytes, and then a byte at a time for ever, whatever it hears.
    Trickles(&'static [u8]),
    /// Reads a request's head, and then says the same for ever.
    Repeats(&'static str),
    /// Hangs up at once.
    HangsUp,
    /// Answers after so many milliseconds.
    Late(u64),
}

/// An HTTP answer.
pub fn http(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n{body}").into_bytes()
}

/// Starts one; its port.
pub fn serve(bad: Bad) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let bad = bad.clone();
            thread::spawn(move || play(stream, bad));
        }
    });
    port
}

fn play(mut stream: TcpStream, bad: Bad) -> io::Result<()> {
    match bad {
        Bad::Answers(bytes) => {
            head(&mut stream)?;
            stream.write_all(&bytes)
        }
        Bad::Status(status) => {
            head(&mut stream)?;
            let status = status.load(Ordering::SeqCst).to_string();
            stream.write_all(&http(&status, "", "1"))
        }
        Bad::Speaks(lines) => {
            for line in lines {
                stream.write_all(line.as_bytes())?;
                read_line(&mut stream)?;
            }
            Ok(())
        }
        Bad::Silent => for_ever(),
        Bad::Drips(first) => {
            head(&mut stream)?;
            stream.write_all(first.as_bytes())?;
            loop {
                stream.write_all(b"x")?;
                thread::sleep(Duration::from_millis(100));
            }
        }
        Bad::Floods(first) => {
            head(&mut stream)?;
            stream.write_all(first.as_bytes())?;
            let block = vec![b'x'; 64 << 10];
            loop {
                stream.write_all(&block)?;
            }
        }
        Bad::Trickles(first) => {
            stream.write_all(first)?;
            loop {
                stream.write_all(b"x")?;
                thread::sleep(Duration::from_millis(100));
            }
        }
        Bad::Repeats(text) => {
            head(&mut stream)?;
            loop {
                stream.write_all(text.as_bytes())?;
            }
        }
        Bad::HangsUp => Ok(()),
        Bad::Late(millis) => {
            head(&mut stream)?;
            thread::sleep(Duration::from_millis(millis));
            stream.write_all(&http("200 OK", "", "1"))
        }
    }
}

fn for_ever() -> io::Result<()> {
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}

fn head(stream: &mut impl Read) -> io::Result<()> {
    let mut end = [0; 4];
    while &end != b"\r\n\r\n" {
        end.rotate_left(1);
        stream.read_exact(&mut end[3..])?;
    }
    Ok(())
}

fn read_line(stream: &mut impl Read) -> io::Result<()> {
    let mut byte = [0];
    while byte != *b"\n" {
        stream.read_exact(&mut byte)?;
    }
    Ok(())
}

/// A port that nobody listens on.
pub fn nobody() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
