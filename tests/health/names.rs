//! A name server on the loopback, over UDP and TCP on one port.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, UdpSocket};
use std::thread;

/// Knows `a.example` (an address), `long.example` (which only TCP tells), and `gone.example`
/// (which there is not); says nothing of `silent.example`, and nonsense of `odd.example`.
pub fn serve() -> u16 {
    let (udp, tcp) = both();
    let port = udp.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((read, from)) = udp.recv_from(&mut buffer) {
            if let Some(answer) = answer(&buffer[..read], true) {
                let _ = udp.send_to(&answer, from);
            }
        }
    });
    thread::spawn(move || {
        for mut stream in tcp.incoming().flatten() {
            let mut length = [0; 2];
            if stream.read_exact(&mut length).is_err() {
                continue;
            }
            let mut question = vec![0; u16::from_be_bytes(length).into()];
            let read = stream.read_exact(&mut question);
            if let (Ok(()), Some(answer)) = (read, answer(&question, false)) {
                let length = u16::try_from(answer.len()).unwrap().to_be_bytes();
                let _ = stream.write_all(&[length.as_slice(), &answer].concat());
            }
        }
    });
    port
}

fn both() -> (UdpSocket, TcpListener) {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()) {
            return (udp, tcp);
        }
    }
}

/// RFC 1035, as far as these names need it.
fn answer(question: &[u8], udp: bool) -> Option<Vec<u8>> {
    let end = 12 + question.get(12..)?.iter().position(|byte| *byte == 0)? + 5;
    let asked = question.get(12..end)?;
    let has = |label: &[u8]| asked.windows(label.len()).any(|at| at == label);
    if has(b"\x06silent") {
        return None;
    }
    let mut answer = question[..2].to_vec();
    let (flags, records) = match () {
        () if has(b"\x04gone") => ([0x81, 0x83], 0u16),
        () if has(b"\x04long") && udp => ([0x83, 0x80], 0),
        () if has(b"\x04long") => ([0x81, 0x80], 40),
        () => ([0x81, 0x80], 1),
    };
    answer.extend(flags);
    answer.extend([0, 1]);
    answer.extend(records.to_be_bytes());
    answer.extend([0; 4]);
    answer.extend(asked);
    if has(b"\x03odd") {
        answer.extend([0xff; 7]);
        return Some(answer);
    }
    for number in 0..records {
        // The name by reference, A, IN, 60 s, four bytes.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2]);
        answer.push(number as u8 + 1);
    }
    Some(answer)
}
