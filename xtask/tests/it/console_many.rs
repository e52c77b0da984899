//! Many nodes and a flood of lines: the console shows what is newest, answers keys, and neither it nor the supervisor loses a line.
//! How fast is measured by `cargo xtask bench console`.

use std::time::Duration;

use crate::flood::{self, Flood};
use crate::node::Node;
use crate::process;
use crate::swarm::Swarm;
use crate::terminal::Terminal;
use crate::wait::LONG;

#[test]
fn a_hundred_thousand_lines_are_kept_in_order_and_in_little_memory() {
    let node = Node::running();
    let console = Terminal::console(node.home(), 120, 36);
    console.until("ready", LONG);
    console.keys("9");
    console.until("newest", LONG);
    flood::lines(&node.file("logs/edge.log"), 100_000);
    console.until("line 99999:", LONG);
    // The first, the last, and any in between are there.
    for n in [0, 1, 49_999, 99_998] {
        console.keys(&format!("//line {n}:\r"));
        console.until(&format!(" line {n}:"), LONG);
        // Lines are found while one types; Enter has come through when this stands there.
        console.until("Esc clears", LONG);
        console.keys("\x1b");
        // The next key right after Esc would be read as one chord with it.
        console.until_screen("no filter", LONG, |text| !text.contains("Esc clears"));
    }
    let mib = process::resident_mib(console.pid());
    assert!(mib < 40.0, "{mib:.1} MiB resident");
}

#[test]
fn keys_are_answered_under_a_flood_and_its_last_line_is_shown() {
    let node = Node::running();
    let console = Terminal::console(node.home(), 200, 50);
    console.until("ready", LONG);
    let mut flood = Flood::start(&node.file("logs/edge.log"), 5_000);
    console.keys("9");
    console.until("line ", LONG);
    for _ in 0..5 {
        let shows =
            |word: &'static str| move |screen: &vt100::Screen| screen.contents().contains(word);
        console.answer("4", "Blocks", shows("block time"));
        console.answer("9", "Logs", shows("all services"));
    }
    console.keys(":mesh");
    console.until(":mesh", LONG);
    console.keys("\r");
    console.until("last beat", LONG);
    console.keys("9");
    let last = flood.stop();
    console.until(&format!("line {}:", last - 1), LONG);
    assert!(
        !console.text().contains("came too fast"),
        "{}",
        console.text()
    );
    node.until_ready();
}

#[test]
fn hundreds_of_nodes_are_a_table_whose_rows_are_found() {
    let node = Node::with_chain();
    node.set("rateLimit", 100_000);
    node.set("meshOfflineAfterMs", 20_000);
    node.set("heartbeatIntervalMs", 5000);
    node.start();
    let console = Terminal::console(node.home(), 200, 50);
    console.until("ready", LONG);
    console.keys("2");
    let swarm = Swarm::join(node.home(), node.port("mesh"), 300);
    console.until("swarm-00001", LONG);
    {
        let beating = swarm.beat(Duration::from_secs(5));
        console.keys("G");
        console.until("swarm-00299", LONG);
        console.keys("/swarm-00123\r");
        console.until("swarm-00123", LONG);
        console.until_screen("only that node", LONG, |text| !text.contains("swarm-00124"));
        console.keys("\x1b");
        console.until_screen("no filter", LONG, |text| !text.contains("Esc clears"));
        console.keys("g");
        console.until("swarm-00001", LONG);
        assert!(beating.taken() > 0);
    }
    // All of them fall silent at once: one problem, not three hundred.
    console.until("300 nodes are offline", LONG);
    console.until_quiet();
    // One for those that ask, one for each of the first five that fall silent, one for all: not three hundred.
    assert!(console.bells() <= 10, "{} bells", console.bells());
}
