//! The console in a real pseudo-terminal, without a node: what it draws first, that it survives any size, how it ends.
//! With a node it is driven by the end-to-end tests of `xtask`.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::termios::LocalFlags;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::program::Home;

const LONG: Duration = Duration::from_secs(20);

struct Console {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    parser: Arc<Mutex<vt100::Parser>>,
    home: Home,
}

fn size(cols: u16, rows: u16) -> PtySize {
    PtySize {
        rows,
        cols,
        pixel_width: 0,
        pixel_height: 0,
    }
}

fn cells(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).unwrap()
}

impl Console {
    fn open(cols: u16, rows: u16) -> Self {
        Self::open_in(Home::with_chain(), cols, rows)
    }

    fn open_in(home: Home, cols: u16, rows: u16) -> Self {
        Self::open_with(home, &[], cols, rows)
    }

    fn open_with(home: Home, arguments: &[&str], cols: u16, rows: u16) -> Self {
        let pair = native_pty_system().openpty(size(cols, rows)).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_tana"));
        command.args(arguments);
        command.env_clear();
        command.env("TANA_HOME", home.path());
        command.env("HOME", home.path());
        command.env("TERM", "xterm-256color");
        command.env("LC_ALL", "C.UTF-8");
        command.cwd(home.path());
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let parser = Arc::new(Mutex::new(vt100::Parser::new(cells(rows), cells(cols), 0)));
        let mut reader = pair.master.try_clone_reader().unwrap();
        let sink = Arc::clone(&parser);
        std::thread::spawn(move || {
            let mut buf = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut buf) {
                sink.lock().unwrap().process(&buf[..n]);
            }
        });
        let keys = pair.master.take_writer().unwrap();
        Self {
            child,
            master: pair.master,
            keys,
            parser,
            home,
        }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    fn text(&self) -> String {
        self.parser.lock().unwrap().screen().contents()
    }

    #[track_caller]
    fn until(&self, text: &str) {
        let start = Instant::now();
        while !self.text().contains(text) {
            assert!(start.elapsed() < LONG, "never {text:?} on\n{}", self.text());
            std::thread::yield_now();
        }
    }

    /// Waits for the end; the exit code and how long it took.
    #[track_caller]
    fn until_gone(&mut self) -> (u32, Duration) {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status.exit_code(), start.elapsed());
            }
            assert!(start.elapsed() < LONG, "it is still there");
            std::thread::yield_now();
        }
    }

    #[track_caller]
    fn assert_restored(&self) {
        let start = Instant::now();
        loop {
            let parser = self.parser.lock().unwrap();
            let screen = parser.screen();
            let restored = !screen.alternate_screen()
                && !screen.hide_cursor()
                && !screen.bracketed_paste()
                && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None;
            // What the kernel says of the terminal, seen from its other end.
            let modes = self.master.get_termios().unwrap().local_flags.bits();
            let cooked =
                LocalFlags::from_bits_retain(modes).contains(LocalFlags::ICANON | LocalFlags::ECHO);
            if restored && cooked {
                return;
            }
            drop(parser);
            assert!(start.elapsed() < LONG, "the terminal was left as it was");
            std::thread::yield_now();
        }
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn without_a_node_it_says_so_and_leaves_on_q() {
    let mut console = Console::open(80, 24);
    console.until("The node does not run.");
    console.until("starts it");
    console.press("?");
    console.until("restart the service");
    console.press("\x1b");
    // Until the escape has been taken for one, what follows would be Alt.
    console.until("The node does not run.");
    console.press(":mesh\r");
    console.until("No data from the mesh");
    console.press("q");
    let (code, took) = console.until_gone();
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(1), "{took:?}");
    console.assert_restored();
}

#[test]
fn a_signal_ends_it_within_a_second_and_the_terminal_is_restored() {
    for signal in ["TERM", "HUP", "INT"] {
        let mut console = Console::open(80, 24);
        console.until("The node does not run.");
        let pid = console.child.process_id().unwrap().to_string();
        let sent = std::process::Command::new("kill")
            .args(["-s", signal, &pid])
            .status()
            .unwrap();
        assert!(sent.success());
        let (_, took) = console.until_gone();
        assert!(took < Duration::from_secs(1), "{signal}: {took:?}");
        console.assert_restored();
    }
}

#[test]
fn a_panic_restores_the_terminal_and_its_message_can_be_read() {
    let mut console = Console::open(80, 24);
    console.until("The node does not run.");
    console.press(":panic\r");
    let (code, took) = console.until_gone();
    assert_ne!(code, 0);
    assert!(took < Duration::from_secs(1), "{took:?}");
    console.assert_restored();
    console.until("asked for by :panic");
    console.until("panicked at tui/src/");
}

#[test]
fn keys_of_the_configuration_work_and_the_ones_they_replace_do_not() {
    let home = Home::with_chain();
    std::fs::write(
        home.file("config.json"),
        r#"{"keys": {"help": ["f1", "ctrl-o"], "quit": "Q"}}"#,
    )
    .unwrap();
    let mut console = Console::open_in(home, 80, 24);
    console.until("The node does not run.");
    // The footer shows the new keys.
    console.until("F1 keys");
    console.until("Q leave");
    // The old ones do nothing: had `q` left or `?` opened the help, what follows would not come about.
    console.press("q?2");
    console.until("No data from the mesh");
    console.press("\x0f");
    console.until("show or hide the graph");
    console.press("\r");
    console.until("No data from the mesh");
    console.press("Q");
    assert_eq!(console.until_gone().0, 0);
    console.assert_restored();
}

#[test]
fn a_key_table_that_is_wrong_is_named_with_what_would_be_right() {
    for (keys, says) in [
        (
            r#"{"approve": "q"}"#,
            ["config.json: keys", "approve", "quit"],
        ),
        (
            r#"{"aprove": "f2"}"#,
            ["config.json: keys", "aprove", "approve"],
        ),
        (
            r#"{"approve": "hyper-q"}"#,
            ["config.json: keys", "hyper-q", "ctrl-l"],
        ),
        (
            r#"{"approve": "3"}"#,
            ["config.json: keys", "approve", "Approvals"],
        ),
    ] {
        let home = Home::with_chain();
        std::fs::write(home.file("config.json"), format!("{{\"keys\": {keys}}}")).unwrap();
        let mut console = Console::open_in(home, 200, 24);
        assert_eq!(console.until_gone().0, 2, "{keys}");
        for word in says {
            console.until(word);
        }
    }
}

#[test]
fn any_size_is_survived_and_the_next_is_drawn_whole() {
    let mut console = Console::open(120, 36);
    console.until("The node does not run.");
    for (cols, rows) in [
        (1, 1),
        (20, 5),
        (19, 4),
        (300, 100),
        (40, 12),
        (2, 60),
        (80, 24),
    ] {
        console
            .parser
            .lock()
            .unwrap()
            .screen_mut()
            .set_size(cells(rows), cells(cols));
        console.master.resize(size(cols, rows)).unwrap();
    }
    console.press("2");
    console.until("No data from the mesh");
    console.press("1");
    console.until("The node does not run.");
    console.press("q");
    assert_eq!(console.until_gone().0, 0);
}

#[test]
fn a_home_without_a_chain_is_offered_one_and_esc_leaves_it_as_it_is() {
    let mut console = Console::open_in(Home::new(), 80, 24);
    console.until("No chain is here yet");
    console.press("\r");
    console.until("What is the chain called?");
    console.press("\x7f\x7f\x7f\x7fMY CHAIN\r");
    console.until("a name is 1 to 40");
    console.press("\x1b");
    console.until("No chain is here yet");
    console.press("\x1b");
    console.until("The node does not run.");
    console.press("q");
    assert_eq!(console.until_gone().0, 0);
    console.assert_restored();
    assert!(!console.home.file("chains").exists(), "nothing was made");
}

#[test]
fn a_session_is_recorded_and_its_last_screen_replayed_without_a_terminal() {
    let home = Home::with_chain();
    let file = home.file("session.cast");
    let name = file.to_str().unwrap().to_owned();
    let mut console = Console::open_with(home, &["--record", &name], 100, 30);
    console.until("The node does not run.");
    console.press("2");
    console.until("No data from the mesh");
    console.press("q");
    assert_eq!(console.until_gone().0, 0);
    let again = console.home.tana(&["--replay", &name]).exits(0);
    assert!(again.out.contains("No data from the mesh"), "{again:?}");
    // A recording is not written over.
    let mut second = Console::open_with(Home::with_chain(), &["--record", &name], 100, 30);
    assert_eq!(second.until_gone().0, 1);
    second.until("cannot record in");
}
