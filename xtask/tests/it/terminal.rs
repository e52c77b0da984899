//! A program in a real pseudo-terminal, its screen as an emulator sees it.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::termios::{LocalFlags, tcgetattr};

use crate::binary;
use crate::wait::until;

/// What the emulator keeps beside the screen.
#[derive(Default)]
struct Heard {
    bells: usize,
}

impl vt100::Callbacks for Heard {
    fn audible_bell(&mut self, _: &mut vt100::Screen) {
        self.bells += 1;
    }
}

struct Emulator {
    parser: vt100::Parser<Heard>,
    bytes: usize,
    first: Option<Instant>,
}

pub(crate) struct Terminal {
    emulator: Arc<Mutex<Emulator>>,
    /// The terminal's own end; the reader has the other share of it.
    master: Option<Arc<PtyMaster>>,
    reader: Option<JoinHandle<()>>,
    closing: Arc<AtomicBool>,
    name: String,
    child: Child,
    started: Instant,
}

impl Terminal {
    /// Runs `tana` without arguments, which is the console, in a terminal of this size.
    pub(crate) fn console(home: &Path, columns: u16, rows: u16) -> Self {
        Self::run(home, columns, rows, &[])
    }

    pub(crate) fn run(home: &Path, columns: u16, rows: u16, args: &[&str]) -> Self {
        Self::with(home, columns, rows, args, &[])
    }

    /// The same with variables of the environment set.
    pub(crate) fn with(
        home: &Path,
        columns: u16,
        rows: u16,
        args: &[&str],
        settings: &[(&str, &str)],
    ) -> Self {
        let mut program = binary::command("tana", home);
        program
            .args(args)
            .env("TERM", "xterm-256color")
            .env("COLORTERM", "truecolor")
            .env("LC_ALL", "C.UTF-8")
            .envs(settings.iter().copied());
        Self::of(&program, columns, rows)
    }

    /// Runs any program, with its arguments, directory and changes of the environment.
    pub(crate) fn of(program: &Command, columns: u16, rows: u16) -> Self {
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname_r(&master).unwrap();
        let slave = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlag::O_NOCTTY.bits())
            .open(&name)
            .unwrap();
        set_size(&name, columns, rows);

        // setsid makes the terminal the program's controlling one and then becomes the program.
        let mut command = Command::new("setsid");
        command
            .arg("--ctty")
            .arg(program.get_program())
            .args(program.get_args());
        if let Some(directory) = program.get_current_dir() {
            command.current_dir(directory);
        }
        for (key, value) in program.get_envs() {
            match value {
                Some(value) => command.env(key, value),
                None => command.env_remove(key),
            };
        }
        command
            .stdin(stdio(&slave))
            .stdout(stdio(&slave))
            .stderr(slave);

        let parser =
            vt100::Parser::new_with_callbacks(size(rows), size(columns), 0, Heard::default());
        let emulator = Arc::new(Mutex::new(Emulator {
            parser,
            bytes: 0,
            first: None,
        }));
        let (master, closing) = (Arc::new(master), Arc::new(AtomicBool::new(false)));
        let reader = {
            let (emulator, master, closing) = (
                Arc::clone(&emulator),
                Arc::clone(&master),
                Arc::clone(&closing),
            );
            std::thread::spawn(move || read(&emulator, &master, &closing))
        };
        let started = Instant::now();
        let child = command.spawn().unwrap();
        // The command held the ends that it handed to the program.
        drop(command);
        Self {
            emulator,
            master: Some(master),
            reader: Some(reader),
            closing,
            name,
            child,
            started,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How long after the start something stood on the screen.
    pub(crate) fn first_frame(&self) -> Duration {
        let (at, _) = until("the first frame", Duration::from_secs(20), || {
            self.emulator
                .lock()
                .unwrap()
                .first
                .ok_or_else(|| "an empty screen".to_owned())
        });
        at - self.started
    }

    pub(crate) fn text(&self) -> String {
        self.emulator.lock().unwrap().parser.screen().contents()
    }

    pub(crate) fn screen(&self) -> vt100::Screen {
        self.emulator.lock().unwrap().parser.screen().clone()
    }

    pub(crate) fn bells(&self) -> usize {
        self.emulator.lock().unwrap().parser.callbacks().bells
    }

    pub(crate) fn bytes(&self) -> usize {
        self.emulator.lock().unwrap().bytes
    }

    /// The text of one row.
    pub(crate) fn row(&self, row: u16) -> String {
        let screen = self.screen();
        let columns = screen.size().1.get();
        screen
            .rows(0, columns)
            .nth(usize::from(row))
            .unwrap_or_default()
    }

    /// Sends keys and waits until what they bring stands on the screen; how long after the keys that was. Looks five thousand
    /// times a second, at little: the screen is not copied.
    #[track_caller]
    pub(crate) fn answer(
        &self,
        keys: &str,
        what: &str,
        mut holds: impl FnMut(&vt100::Screen) -> bool,
    ) -> Duration {
        let pressed = Instant::now();
        self.keys(keys);
        loop {
            if holds(self.emulator.lock().unwrap().parser.screen()) {
                return pressed.elapsed();
            }
            assert!(
                pressed.elapsed() < Duration::from_secs(20),
                "waited 20 s after {keys:?} for {what}:\n{}",
                self.text()
            );
            std::thread::park_timeout(Duration::from_micros(200));
        }
    }

    /// Sends keys as a keyboard does.
    pub(crate) fn keys(&self, keys: &str) {
        let mut master = self.master.as_deref().expect("the terminal is open");
        master.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the screen shows the text; how long that took.
    #[track_caller]
    pub(crate) fn until(&self, text: &str, limit: Duration) -> Duration {
        self.until_screen(text, limit, |screen| screen.contains(text))
    }

    #[track_caller]
    pub(crate) fn until_screen(
        &self,
        what: &str,
        limit: Duration,
        mut holds: impl FnMut(&str) -> bool,
    ) -> Duration {
        until(&format!("{what:?} on the screen"), limit, || {
            let text = self.text();
            if holds(&text) {
                Ok(())
            } else {
                Err(format!("\n{text}\n"))
            }
        })
        .1
    }

    /// Waits until nothing was written for half a second.
    pub(crate) fn until_quiet(&self) {
        let (mut seen, mut since) = (self.bytes(), Instant::now());
        until("a quiet terminal", Duration::from_secs(30), || {
            let now = self.bytes();
            if now != seen {
                (seen, since) = (now, Instant::now());
            }
            if since.elapsed() > Duration::from_millis(500) {
                Ok(())
            } else {
                Err(format!("{now} bytes written"))
            }
        });
    }

    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        self.emulator
            .lock()
            .unwrap()
            .parser
            .set_size(size(rows), size(columns));
        set_size(&self.name, columns, rows);
    }

    /// Closes the terminal, as a lost connection does.
    pub(crate) fn hang_up(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        self.reader
            .take()
            .expect("the terminal is open")
            .join()
            .unwrap();
        drop(self.master.take());
    }

    /// Waits until the process is gone; how long that took.
    pub(crate) fn until_gone(&mut self, limit: Duration) -> Duration {
        until(
            &format!("process {} to end", self.child.id()),
            limit,
            || match self.child.try_wait() {
                Ok(Some(_)) => Ok(()),
                Ok(None) => Err("it runs".to_owned()),
                Err(error) => Err(error.to_string()),
            },
        )
        .1
    }

    /// Asserts that the terminal is as it was found: main screen, cursor shown, no mouse or paste mode, echo and lines on.
    #[track_caller]
    pub(crate) fn assert_restored(&self) {
        let reader = self.reader.as_ref().expect("the terminal is open");
        until("the last of the output", Duration::from_secs(5), || {
            if reader.is_finished() {
                Ok(())
            } else {
                Err("the terminal is still open".to_owned())
            }
        });
        let screen = self.screen();
        assert!(
            !screen.alternate_screen(),
            "the alternate screen was left on"
        );
        assert!(!screen.hide_cursor(), "the cursor was left hidden");
        assert!(!screen.bracketed_paste(), "bracketed paste was left on");
        assert_eq!(
            screen.mouse_protocol_mode(),
            vt100::MouseProtocolMode::None,
            "mouse reports were left on"
        );
        let modes = tcgetattr(self.master.as_ref().unwrap())
            .unwrap()
            .local_flags;
        assert!(
            modes.contains(LocalFlags::ICANON | LocalFlags::ECHO),
            "the terminal was left in raw mode"
        );
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Feeds the emulator until the program has let go of the terminal or the test hangs up.
fn read(emulator: &Mutex<Emulator>, master: &PtyMaster, closing: &AtomicBool) {
    let mut buffer = [0; 65536];
    while !closing.load(Ordering::Relaxed) {
        let mut fds = [PollFd::new(master.as_fd(), PollFlags::POLLIN)];
        if !matches!(poll(&mut fds, PollTimeout::from(20u8)), Ok(1..)) {
            continue;
        }
        let mut source = master;
        let Ok(n @ 1..) = source.read(&mut buffer) else {
            return;
        };
        let data = &buffer[..n];
        let mut emulator = emulator.lock().unwrap();
        emulator.bytes += n;
        emulator.parser.process(data);
        let screen = emulator.parser.screen();
        if data.windows(4).any(|window| window == b"\x1b[6n") {
            let (row, column) = screen.cursor_position();
            // A terminal that does not answer this makes programs wait.
            let _ = source.write_all(format!("\x1b[{};{}R", row + 1, column + 1).as_bytes());
        }
        if emulator.first.is_none() && !screen.contents().trim().is_empty() {
            emulator.first = Some(Instant::now());
        }
    }
}

fn size(cells: u16) -> NonZeroU16 {
    NonZeroU16::new(cells).expect("a terminal has cells")
}

fn stdio(file: &File) -> Stdio {
    file.try_clone().unwrap().into()
}

fn set_size(name: &str, columns: u16, rows: u16) {
    let status = Command::new("stty")
        .args([
            "-F",
            name,
            "rows",
            &rows.to_string(),
            "columns",
            &columns.to_string(),
        ])
        .status()
        .unwrap();
    assert!(status.success(), "stty cannot set the size of {name}");
}
