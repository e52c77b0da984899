//! Bytes of an event stream as events, by the rules of the HTML standard. Our own, since a log in full flood is a hundred thousand
//! events a second: each line is looked at once, and nothing is copied but what an event keeps.

/// An event as it was sent.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct RawEvent {
    /// Its name; empty where it was sent without one.
    name: String,
    /// What it carries.
    pub data: String,
    /// Its place in the stream; empty where it was sent without one.
    pub id: String,
}

impl RawEvent {
    /// Its name; `message` where it was sent without one.
    #[must_use]
    pub fn name(&self) -> &str {
        if self.name.is_empty() {
            "message"
        } else {
            &self.name
        }
    }
}

/// Why a stream cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It holds what is no text.
    #[error("the stream is not UTF-8")]
    Encoding,
    /// An event has no end that anybody would wait for.
    #[error("an event is larger than {} MiB", super::LARGEST >> 20)]
    TooLarge,
}

/// What a line is to its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Belongs,
    /// An empty one.
    Completes,
}

/// Reads an event stream: what is kept is the event that is not complete yet.
#[derive(Debug, Default)]
pub struct EventParser {
    /// A line whose end has not come.
    partial: Vec<u8>,
    event: RawEvent,
    any_data: bool,
    /// Bytes of the event so far.
    size: usize,
    /// The last byte was a carriage return: a line feed after it ends no other line.
    after_return: bool,
    begun: bool,
}

impl EventParser {
    /// Takes what has come, and hands on each event that is complete.
    ///
    /// # Errors
    /// When the stream cannot be read on; it is to be closed then.
    pub fn feed(
        &mut self,
        mut bytes: &[u8],
        mut event: impl FnMut(&RawEvent),
    ) -> Result<(), Unreadable> {
        while !bytes.is_empty() {
            if std::mem::take(&mut self.after_return) && bytes[0] == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let Some(end) = memchr::memchr2(b'\n', b'\r', bytes) else {
                self.grow(bytes.len())?;
                self.partial.extend_from_slice(bytes);
                return Ok(());
            };
            self.grow(end + 1)?;
            self.after_return = bytes[end] == b'\r';
            let mut partial = std::mem::take(&mut self.partial);
            let line = if partial.is_empty() {
                &bytes[..end]
            } else {
                partial.extend_from_slice(&bytes[..end]);
                &partial[..]
            };
            if self.line(line)? == Line::Completes {
                if std::mem::take(&mut self.any_data) {
                    event(&self.event);
                    self.event.id.clear();
                }
                // A place in the stream holds without an event too. The buffers are kept for the next.
                self.event.name.clear();
                self.event.data.clear();
                self.size = 0;
            }
            partial.clear();
            self.partial = partial;
            bytes = &bytes[end + 1..];
        }
        Ok(())
    }

    fn grow(&mut self, by: usize) -> Result<(), Unreadable> {
        self.size += by;
        if self.size > super::LARGEST {
            return Err(Unreadable::TooLarge);
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> Result<Line, Unreadable> {
        let line = match line.strip_prefix("\u{feff}".as_bytes()) {
            Some(rest) if !self.begun => rest,
            _ => line,
        };
        self.begun = true;
        if line.is_empty() {
            return Ok(Line::Completes);
        }
        let line = std::str::from_utf8(line).map_err(|_| Unreadable::Encoding)?;
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if std::mem::replace(&mut self.any_data, true) {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            "event" => value.clone_into(&mut self.event.name),
            "id" if !value.contains('\0') => value.clone_into(&mut self.event.id),
            // A comment, how long to wait before the next try (which is ours to say), or a field of another time.
            _ => {}
        }
        // What only keeps the line alive belongs to no event.
        if field.is_empty() && !self.any_data {
            self.size = 0;
        }
        Ok(Line::Belongs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(name: &str, data: &str, id: &str) -> [String; 3] {
        [name, data, id].map(str::to_owned)
    }

    const STREAM: &str = "\u{feff}: hello\n\nevent: log\nid: 7-1\ndata: {\"a\":\ndata: 1}\n\n\
        data\r\n\r\nid: x\n\ndata:no blank\rretry: 5\rdata:  two\r\rdata: über\n\nevent: stopping\ndata: \n\ndata: cut";

    #[test]
    fn the_standards_forms_are_read_however_they_are_cut() {
        let expected = [
            raw("log", "{\"a\":\n1}", "7-1"),
            raw("message", "", ""),
            raw("message", "no blank\n two", "x"),
            raw("message", "über", ""),
            raw("stopping", "", ""),
        ];
        for piece in 1..STREAM.len() {
            let (mut parser, mut found) = (EventParser::default(), Vec::new());
            for bytes in STREAM.as_bytes().chunks(piece) {
                let take = |event: &RawEvent| found.push(raw(event.name(), &event.data, &event.id));
                parser.feed(bytes, take).unwrap();
            }
            assert_eq!(found, expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn an_event_without_end_and_one_that_is_no_text_are_refused() {
        let line = [b'x'; 1 << 16];
        let mut parser = EventParser::default();
        let mut taken = 0;
        while parser.feed(&line, |_| ()).is_ok() {
            taken += line.len();
            assert!(taken <= super::super::LARGEST);
        }
        // Many small ones are no large one, and neither are years of comments.
        let mut parser = EventParser::default();
        for _ in 0..super::super::LARGEST / 1000 {
            parser
                .feed(&[b"data: ", &line[..1000], b"\n\n"].concat(), |_| ())
                .unwrap();
            parser
                .feed(&[b":", &line[..1000], b"\n"].concat(), |_| ())
                .unwrap();
        }
        let refused = EventParser::default().feed(b"data: \xff\n\n", |_| ());
        assert_eq!(refused, Err(Unreadable::Encoding));
    }
}
