//! Keys, clicks and sizes, read on a thread of its own. crossterm's own stream takes a lock, with some turns of the scheduler, each
//! time that the loop goes round; a channel costs nothing while nobody types.

use std::io;
use std::time::Duration;

use crossterm::event::{self, Event};
use tokio::sync::mpsc::{self, UnboundedReceiver};

use super::doze::Alarm;

/// Starts to read. The channel ends when the terminal cannot be read any more.
///
/// # Errors
/// When the machine gives no thread, or the terminal cannot be read at all.
pub(super) fn start(alarm: Alarm) -> io::Result<UnboundedReceiver<Event>> {
    // From here on no change of the size is missed, however late the thread comes to run.
    event::poll(Duration::ZERO)?;
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::Builder::new()
        .name("input".into())
        .stack_size(256 * 1024)
        .spawn(move || {
            while let Ok(event) = event::read() {
                if sender.send(event).is_err() {
                    return;
                }
                alarm.ring();
            }
            drop(sender);
            alarm.ring();
        })?;
    Ok(receiver)
}
