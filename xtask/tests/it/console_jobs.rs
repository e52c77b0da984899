//! The console as a job of a shell, and a window that is dragged about: it gives the terminal back and takes it again.

use nix::sys::signal::Signal;

use crate::node::Node;
use crate::process;
use crate::shell;
use crate::terminal::Terminal;
use crate::wait::{LONG, until};

#[test]
fn ctrl_z_gives_the_shell_back_and_fg_the_screen() {
    let node = Node::running();
    let shell = shell::in_home(node.home(), 100, 30);
    shell.keys("tana\r");
    shell.until("ready", LONG);
    for _ in 0..2 {
        shell.keys("\x1a");
        shell.until("Stopped", LONG);
        let screen = shell.screen();
        assert!(
            !screen.alternate_screen(),
            "the alternate screen was left on"
        );
        assert!(!screen.hide_cursor(), "the cursor was left hidden");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
        shell.keys("clear; echo $((6 * 7)) works\r");
        shell.until("42 works", LONG);
        shell.keys("fg\r");
        shell.until_screen("the whole screen again", LONG, |text| {
            text.contains("identity") && text.contains("all well") && text.contains("leave")
        });
        assert!(
            shell.screen().alternate_screen(),
            "drawn over what the shell had shown:\n{}",
            shell.text()
        );
        shell.keys("4");
        shell.until("block time", LONG);
        // Both were read before it is stopped: what is not would go to the shell.
        shell.keys("1");
        shell.until_screen("Services again", LONG, |text| {
            text.contains("listening") && !text.contains("block time")
        });
    }
    // Stopped by somebody else, it cannot clean up; once it goes on, the screen is whole.
    let [console] = process::children(shell.pid())[..] else {
        panic!("the shell runs the console and nothing else");
    };
    process::signal(console, Signal::SIGSTOP);
    shell.until("Stopped", LONG);
    shell.keys("clear; fg\r");
    shell.until_screen("the whole screen again", LONG, |text| {
        text.contains("identity") && text.contains("all well")
    });
    shell.keys("q");
    shell.until("The node keeps running", LONG);
    shell.keys("echo $?-$((6 * 9))\r");
    shell.until("0-54", LONG);
    assert!(!shell.screen().alternate_screen());
}

#[test]
fn a_storm_of_sizes_leaves_a_console_that_answers() {
    let node = Node::running();
    let console = Terminal::console(node.home(), 400, 120);
    console.until("ready", LONG);
    for (screen, word) in [
        ("1", "listening"),
        ("2", "last beat"),
        ("4", "height"),
        ("9", "all services"),
    ] {
        console.keys(screen);
        for step in (0..40_u16).chain((0..40).rev()) {
            console.resize(400 - step * 399 / 39, 120 - step * 119 / 39);
        }
        console.until(word, LONG);
        console.resize(1, 1);
        console.resize(120, 36);
        until("the screen whole at its new size", LONG, || {
            let text = console.text();
            let tabs = ["1 Services", "9 Logs"]
                .iter()
                .all(|tab| text.contains(tab));
            if tabs && text.contains(word) {
                Ok(())
            } else {
                Err(text)
            }
        });
    }
    console.keys("?");
    console.until("this help", LONG);
}

#[test]
fn a_panic_restores_the_terminal_and_touches_no_service() {
    let node = Node::running();
    let before = process::of_home(node.home());
    // With a backtrace the message would have left the screen.
    let plain = [("RUST_BACKTRACE", "0")];
    let mut console = Terminal::with(node.home(), 100, 30, &[], &plain);
    console.until("ready", LONG);
    console.keys(":panic\r");
    console.until_gone(LONG);
    console.assert_restored();
    assert!(console.text().contains("panicked at"), "{}", console.text());
    assert_eq!(process::of_home(node.home()), before);
}
