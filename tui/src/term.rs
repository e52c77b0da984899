//! The terminal: raw mode, alternate screen, one atomic write a frame, and getting out of it in every way a process can end.
//! What is drawn is `view`'s, when is `run`'s. Escape sequences that are not drawing (clipboard, bell) live in `osc`.

mod cells;
pub(crate) mod osc;
pub(crate) mod watchdog;

use std::cell::RefCell;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use ratatui::backend::{Backend, ClearType, CrosstermBackend, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use ratatui::{Frame, Terminal};

// Mouse: clicks and the wheel only (1000, SGR 1006). Motion reports would wake an idle console.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[?1000h\x1b[?1006h";
const LEAVE: &[u8] = b"\x1b[?2026l\x1b[?1006l\x1b[?1000l\x1b[?2004l\x1b[0m\x1b[?25h\x1b[?1049l";
const BEGIN_SYNC: &[u8] = b"\x1b[?2026h";
const END_SYNC: &[u8] = b"\x1b[?2026l";

/// Shown until the terminal says how large it is.
const UNKNOWN_SIZE: Size = Size {
    width: 80,
    height: 24,
};

static ENTERED: AtomicBool = AtomicBool::new(false);

/// The terminal while the console has it. Dropping it gives it back.
pub(crate) struct Term {
    terminal: Terminal<Screen>,
    pending: Rc<RefCell<Pending>>,
}

/// What a frame wants written.
#[derive(Default)]
struct Pending {
    bytes: Vec<u8>,
    touched: bool,
}

impl Term {
    /// Takes the terminal over.
    pub(crate) fn enter() -> io::Result<Self> {
        install_panic_hook();
        take_over()?;
        let pending = Rc::new(RefCell::new(Pending::default()));
        let screen = Screen {
            inner: CrosstermBackend::new(Sink(Rc::clone(&pending))),
            pending: Rc::clone(&pending),
        };
        let terminal = Terminal::new(screen).inspect_err(|_| give_back())?;
        Ok(Self { terminal, pending })
    }

    /// Draws one frame in one write; writes nothing when no cell changed. Answers what it wrote.
    pub(crate) fn draw(&mut self, view: impl FnOnce(&mut Frame<'_>)) -> io::Result<Vec<u8>> {
        self.terminal.draw(view)?;
        let frame = std::mem::take(&mut *self.pending.borrow_mut());
        if !frame.touched {
            return Ok(Vec::new());
        }
        let mut out = Vec::with_capacity(frame.bytes.len() + 16);
        out.extend_from_slice(BEGIN_SYNC);
        out.extend_from_slice(&frame.bytes);
        out.extend_from_slice(END_SYNC);
        write_all(&out)?;
        Ok(out)
    }

    /// Forgets what is on the screen, so that the next frame is whole.
    pub(crate) fn repaint(&mut self) -> io::Result<()> {
        self.terminal.clear()
    }

    /// Gives the terminal back, for as long as the process is stopped.
    pub(crate) fn leave(&mut self) {
        give_back();
    }

    /// Takes it over again.
    pub(crate) fn re_enter(&mut self) -> io::Result<()> {
        // Stopped by somebody else, the process never left raw mode and is believed to be in it, while the shell has put
        // its own mode in place.
        let _ = crossterm::terminal::disable_raw_mode();
        take_over()?;
        self.repaint()
    }
}

impl Drop for Term {
    fn drop(&mut self) {
        give_back();
    }
}

fn take_over() -> io::Result<()> {
    crossterm::terminal::enable_raw_mode()?;
    ENTERED.store(true, Ordering::SeqCst);
    write_all(ENTER)
}

/// Restores the terminal, once. Safe to call from any thread, a panic hook included.
pub(crate) fn give_back() {
    if ENTERED.swap(false, Ordering::SeqCst) {
        // The modes first: they cannot block, while a stopped terminal (Ctrl-S) holds a write for ever.
        let _ = crossterm::terminal::disable_raw_mode();
        let _ = write_all(LEAVE);
    }
}

/// A panic anywhere ends the console: the terminal is restored first, so that the message can be read.
fn install_panic_hook() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        give_back();
        report(info);
        // Unwinding would go on with a terminal that is gone; nothing here holds keys.
        #[allow(clippy::disallowed_methods)]
        std::process::exit(101);
    }));
}

/// Writes to the terminal past std's lock, which a blocked writer would hold against the watchdog.
pub(crate) fn write_all(mut bytes: &[u8]) -> io::Result<()> {
    let stdout = io::stdout();
    while !bytes.is_empty() {
        match nix::unistd::write(stdout.as_fd(), bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => bytes = &bytes[n..],
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => {
                let mut fds = [PollFd::new(stdout.as_fd(), PollFlags::POLLOUT)];
                let _ = poll(&mut fds, PollTimeout::NONE);
            }
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

/// Where crossterm's backend writes to.
struct Sink(Rc<RefCell<Pending>>);

impl Write for Sink {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().bytes.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Crossterm's backend, without what it writes when nothing changed and without questions to the terminal.
struct Screen {
    inner: CrosstermBackend<Sink>,
    pending: Rc<RefCell<Pending>>,
}

impl Backend for Screen {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let mut content = content.peekable();
        if content.peek().is_none() {
            return Ok(());
        }
        let mut pending = self.pending.borrow_mut();
        pending.touched = true;
        cells::write(&mut pending.bytes, size().width, content);
        Ok(())
    }

    // The cursor is hidden on entering and never shown: inputs draw their own.
    fn hide_cursor(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(Position::ORIGIN)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, _position: P) -> io::Result<()> {
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.pending.borrow_mut().touched = true;
        self.inner.clear()
    }

    fn clear_region(&mut self, clear_type: ClearType) -> io::Result<()> {
        self.pending.borrow_mut().touched = true;
        self.inner.clear_region(clear_type)
    }

    fn size(&self) -> io::Result<Size> {
        Ok(size())
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize {
            columns_rows: size(),
            pixels: Size::ZERO,
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How large the terminal is; a size of nothing (not set yet, or shrunk to nothing) counts as unknown.
pub(crate) fn size() -> Size {
    match crossterm::terminal::size() {
        Ok((width, height)) if width > 0 && height > 0 => Size { width, height },
        _ => UNKNOWN_SIZE,
    }
}
