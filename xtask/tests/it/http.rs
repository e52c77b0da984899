//! A plain HTTP/1.1 client, one connection a request: enough to test and measure with, and nothing of the product's.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::Value;

/// What a daemon answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Status line and headers, lower case.
    pub(crate) head: String,
    pub(crate) text: String,
    /// The body where it is JSON, else null.
    pub(crate) json: Value,
}

pub(crate) fn get(port: u16, path: &str) -> Answer {
    send(port, "GET", path, "")
}

pub(crate) fn post(port: u16, path: &str, body: &str) -> Answer {
    send(port, "POST", path, body)
}

pub(crate) fn send(port: u16, method: &str, path: &str, body: &str) -> Answer {
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    // A server that refuses a large body answers, and closes, before it has read all of it.
    let sent = stream.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let received = stream.read_to_end(&mut answer);
    assert!(
        !answer.is_empty(),
        "no answer to {method} {path}: {sent:?} {received:?}"
    );
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no HTTP answer: {answer:?}"));
    let head = head.to_lowercase();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or_else(|| panic!("no status: {head}"));
    let text = if head.contains("transfer-encoding: chunked") {
        unchunk(body)
    } else {
        body.to_owned()
    };
    let json = serde_json::from_str(&text).unwrap_or(Value::Null);
    Answer {
        status,
        head,
        text,
        json,
    }
}

fn unchunk(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        if size == 0 {
            break;
        }
        whole.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    whole
}

/// A connection that is kept for one request after the other.
pub(crate) struct Kept {
    stream: BufReader<TcpStream>,
}

impl Kept {
    pub(crate) fn open(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// One request and its answer: status, status line and headers in lower case, body.
    pub(crate) fn get(&mut self, path: &str) -> std::io::Result<(u16, String, Vec<u8>)> {
        let broken = || std::io::Error::other("no HTTP answer");
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        self.stream.get_mut().write_all(request.as_bytes())?;
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.stream.read_line(&mut head)? == 0 {
                return Err(broken());
            }
        }
        let head = head.to_lowercase();
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .and_then(|length| length.trim().parse().ok());
        let mut body = vec![0; length.ok_or_else(broken)?];
        self.stream.read_exact(&mut body)?;
        Ok((status.ok_or_else(broken)?, head, body))
    }
}
