//! The playground by keys alone: a contract is made, run, broken, mended and deployed.

use crate::node::Node;
use crate::terminal::Terminal;
use crate::wait::LONG;

const F5: &str = "\x1b[15~";
const F8: &str = "\x1b[19~";

#[test]
fn a_contract_is_made_run_broken_mended_and_deployed() {
    let node = Node::running();
    let console = Terminal::console(node.home(), 120, 36);
    console.until("all well", LONG);
    console.keys("6");
    console.until("n new", LONG);
    console.keys("n");
    console.until("name of the new contract", LONG);
    console.keys("till\r");
    console.until("till/contract.ts", LONG);
    let source = node.home().join("till/contract.ts");
    let made = std::fs::read_to_string(&source).unwrap();

    // What it prints, gives, changes, and what each line costs: on no chain.
    console.keys(F5);
    for word in ["● done", "call 1 by nobody", "\"calls\": 1", "calls = 1"] {
        console.until(word, LONG);
    }
    console.until("gas by line", LONG);
    assert_eq!(node.json(&["contract", "list"]), serde_json::json!([]));

    // Broken, it says where; the cursor stands there, and what is typed next mends it.
    console.keys("(((");
    console.until("(((import", LONG);
    console.keys(F5);
    console.until("× syntax", LONG);
    console.until("line 1, column", LONG);
    assert_eq!(
        std::fs::read_to_string(&source).unwrap(),
        made,
        "what runs is not saved for it"
    );
    console.keys("\x1b[H\x1b[3~\x1b[3~\x1b[3~");
    console.until_screen("the source as it was", LONG, |text| {
        text.contains("1 import { console }") && !text.contains("(((")
    });
    console.keys(F5);
    console.until("● done", LONG);

    console.keys(F8);
    console.until("deploy till", LONG);
    console.keys("y");
    console.until("is deployed", LONG);
    let found = node.json(&["contract", "list"]);
    assert_eq!(found[0]["name"], "till", "{found}");
}
