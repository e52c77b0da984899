//! Parts of files on their way to a client: the kernel sends them out of its cache, and they never come into this process.
//!
//! hyper knows bytes alone. A body that has a file sent yields stand-ins in place of bytes, and notes in the connection's
//! [`Wire`] what they stand for; [`Outgoing`], to which hyper writes, knows them by their address and has the file sent
//! instead. All else of HTTP stays hyper's.
//!
//! The bytes of a stand-in must never go out. hyper is told to write vectored, so that it hands them on where they lie; were
//! they copied all the same, the stand-in would be dropped before it was sent, and the connection breaks before its next
//! write.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use rustix::fs::sendfile;
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

/// The most that one stand-in stands for.
pub const MOST: usize = 1 << 20;
/// What stand-ins point to. Nobody reads it, so it takes no memory.
static NOTHING: [u8; MOST] = [0; MOST];

/// What is to be sent from files on one connection. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Wire(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    last: u64,
    pieces: VecDeque<Piece>,
    /// A stand-in went another way than to the socket.
    lost: bool,
}

#[derive(Debug)]
struct Piece {
    id: u64,
    file: Arc<File>,
    at: u64,
    left: usize,
}

impl Wire {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a body yields in place of so many bytes of a file, [`MOST`] at most. It must yield each at once, and in their
    /// order. What is not in the kernel's cache makes the connection's thread wait for the disk.
    #[must_use]
    pub fn stand_in(&self, file: &Arc<File>, at: u64, length: usize) -> Bytes {
        let length = length.min(MOST);
        let mut state = self.lock();
        state.last += 1;
        let id = state.last;
        state.pieces.push_back(Piece {
            id,
            file: file.clone(),
            at,
            left: length,
        });
        Bytes::from_owner(StandIn {
            wire: self.clone(),
            id,
            length,
        })
    }
}

/// Held by hyper until it has been written.
struct StandIn {
    wire: Wire,
    id: u64,
    length: usize,
}

impl AsRef<[u8]> for StandIn {
    fn as_ref(&self) -> &[u8] {
        &NOTHING[..self.length]
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let mut state = self.wire.lock();
        if state.pieces.iter().any(|piece| piece.id == self.id) {
            state.lost = true;
        }
    }
}

fn is_stand_in(slice: &IoSlice<'_>) -> bool {
    !slice.is_empty() && NOTHING.as_ptr_range().contains(&slice.as_ptr())
}

/// A connection that sends what stand-ins stand for.
pub(crate) struct Outgoing {
    stream: TcpStream,
    wire: Wire,
}

impl Outgoing {
    pub(crate) const fn new(stream: TcpStream, wire: Wire) -> Self {
        Self { stream, wire }
    }

    /// Sends of the first piece at most `length` bytes.
    fn poll_send(&self, cx: &mut Context<'_>, length: usize) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(cx))?;
            let mut state = self.wire.lock();
            let Some(piece) = state.pieces.front_mut() else {
                return Poll::Ready(Err(lost()));
            };
            let length = length.min(piece.left);
            let sent = self.stream.try_io(Interest::WRITABLE, || {
                Ok(sendfile(
                    &self.stream,
                    &piece.file,
                    Some(&mut piece.at),
                    length,
                )?)
            });
            match sent {
                // The file has become shorter.
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => {
                    piece.left -= count;
                    if piece.left == 0 {
                        state.pieces.pop_front();
                    }
                    return Poll::Ready(Ok(count));
                }
                Err(error) if again(&error) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Writes what a file follows. The kernel keeps what fills no packet for the file's first bytes: a head in a packet of its
    /// own would wake the reader twice.
    fn poll_write_more(
        &self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(cx))?;
            let written = self.stream.try_io(Interest::WRITABLE, || {
                let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
                let nothing_else = &mut SendAncillaryBuffer::default();
                Ok(sendmsg(&self.stream, slices, nothing_else, flags)?)
            });
            match written {
                Err(error) if again(&error) => {}
                written => return Poll::Ready(written),
            }
        }
    }
}

fn again(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

fn lost() -> io::Error {
    io::Error::other("what is sent from a file went another way")
}

impl AsyncRead for Outgoing {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Outgoing {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.wire.lock().lost {
            return Poll::Ready(Err(lost()));
        }
        let begin = slices.iter().position(|slice| !slice.is_empty());
        let slices = &slices[begin.unwrap_or_default()..];
        match slices.first() {
            Some(first) if is_stand_in(first) => self.poll_send(cx, first.len()),
            _ => {
                let bytes = slices.iter().take_while(|slice| !is_stand_in(slice));
                let count = bytes.count();
                if count < slices.len() {
                    return self.poll_write_more(cx, &slices[..count]);
                }
                Pin::new(&mut self.stream).poll_write_vectored(cx, &slices[..count])
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write as _;
    use std::path::PathBuf;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (Outgoing, TcpStream, Wire) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = TcpStream::connect(address).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let wire = Wire::default();
        (Outgoing::new(stream, wire.clone()), client, wire)
    }

    fn file(name: &str, bytes: &[u8]) -> (PathBuf, Arc<File>) {
        let name = format!("tana-wire-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        File::create(&path).unwrap().write_all(bytes).unwrap();
        let file = Arc::new(File::open(&path).unwrap());
        (path, file)
    }

    #[tokio::test]
    async fn a_stand_in_is_sent_as_what_it_stands_for_between_bytes() {
        let bytes: Vec<u8> = (0..=250).cycle().take(MOST).collect();
        let (path, file) = file("between", &bytes);
        let (mut outgoing, mut client, wire) = pair().await;
        let sending = async {
            let stand_in = wire.stand_in(&file, 5, MOST - 5);
            let mut left = [&b"head"[..], &stand_in, &b"tail"[..]];
            while left.iter().any(|slice| !slice.is_empty()) {
                let slices = left.map(IoSlice::new);
                let mut count = outgoing.write_vectored(&slices).await.unwrap();
                for slice in &mut left {
                    let here = count.min(slice.len());
                    *slice = &slice[here..];
                    count -= here;
                }
            }
            drop(stand_in);
            outgoing.write_all(b"more").await.unwrap();
            outgoing.shutdown().await.unwrap();
        };
        let mut got = Vec::new();
        let (read, ()) = tokio::join!(client.read_to_end(&mut got), sending);
        read.unwrap();
        assert!(got == [b"head", &bytes[5..], b"tailmore"].concat());
        std::fs::remove_file(path).unwrap();
    }

    #[tokio::test]
    async fn a_stand_in_that_was_copied_breaks_the_connection_before_it_goes_out() {
        let (path, file) = file("copied", b"content");
        let (mut outgoing, mut client, wire) = pair().await;
        let copied = wire.stand_in(&file, 0, 7).to_vec();
        assert!(outgoing.write_all(&copied).await.is_err());
        drop(outgoing);
        let mut got = Vec::new();
        client.read_to_end(&mut got).await.unwrap();
        assert!(got.is_empty());
        std::fs::remove_file(path).unwrap();
    }
}
