//! An event stream, in pieces of the length that the first byte says: however it is cut, it holds the same events.

use tana_client::{EventParser, RawEvent, Unreadable};

pub(crate) fn run(data: &[u8]) {
    let Some((length, stream)) = data.split_first() else {
        return;
    };
    let whole = read(&[stream]);
    let pieces: Vec<&[u8]> = stream.chunks(usize::from(*length).max(1)).collect();
    assert_eq!(
        whole,
        read(&pieces),
        "in pieces of {length}: {:?}",
        String::from_utf8_lossy(stream)
    );
}

/// The events before the end or before what cannot be read.
fn read(pieces: &[&[u8]]) -> (Vec<RawEvent>, Result<(), Unreadable>) {
    let mut parser = EventParser::default();
    let mut events = Vec::new();
    for piece in pieces {
        if let Err(why) = parser.feed(piece, |event| events.push(event.clone())) {
            return (events, Err(why));
        }
    }
    (events, Ok(()))
}
