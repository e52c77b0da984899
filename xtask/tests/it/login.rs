//! Login by QR code: read off a picture of the terminal, approved by a phone.

use std::time::{Duration, Instant};

use crate::node::Node;
use crate::picture;
use crate::terminal::Terminal;
use crate::wait::{LONG, until};

fn code_on(console: &Terminal) -> String {
    until("a QR code that a reader can read", LONG, || {
        let codes = picture::qr_codes(&console.screen());
        codes
            .into_iter()
            .next()
            .ok_or_else(|| format!("no code in\n{}", console.text()))
    })
    .0
}

fn approved_at(columns: u16, rows: u16) {
    let node = Node::running();
    node.user("alice");
    let console = Terminal::console(node.home(), columns, rows);
    console.first_frame();
    console.keys(":login\r");
    let code = code_on(&console);
    assert!(
        code.starts_with("tana://auth?session=") || code.contains("\"protocol\":\"tana\""),
        "the code says {code:?}"
    );
    console.until_screen("the session's status", LONG, |text| {
        text.contains("waiting") || text.contains("scanned")
    });

    node.tana(&["phone", "approve", &code, "--user", "alice"])
        .ok();
    let answered = Instant::now();
    console.until_screen("approved", LONG, |text| text.contains("approved"));
    let took = answered.elapsed();
    assert!(
        took < Duration::from_millis(250),
        "the screen showed it {took:?} after the answer"
    );
}

#[test]
fn a_login_at_80_by_24_is_scanned_and_approved() {
    approved_at(80, 24);
}

#[test]
fn a_login_at_120_by_50_is_scanned_and_approved() {
    approved_at(120, 50);
}

#[test]
fn a_rejected_login_says_so() {
    let node = Node::running();
    node.user("alice");
    let console = Terminal::console(node.home(), 100, 40);
    console.first_frame();
    console.keys(":login\r");
    let code = code_on(&console);
    node.tana(&["phone", "reject", &code, "--user", "alice"])
        .ok();
    console.until("rejected", LONG);
}

#[test]
fn a_stranger_cannot_approve() {
    let node = Node::running();
    node.user("alice");
    node.tana(&["new", "user", "mallory"]).ok();
    let console = Terminal::console(node.home(), 100, 40);
    console.first_frame();
    console.keys(":login\r");
    let code = code_on(&console);
    // Her key is on no chain.
    node.tana(&["phone", "approve", &code, "--user", "mallory"])
        .refused(&[]);
    console.until_quiet();
    assert!(
        !console.text().contains("approved"),
        "the screen shows\n{}",
        console.text()
    );
    node.tana(&["phone", "approve", "https://example.org", "--user", "alice"])
        .refused(&["code"]);
}
