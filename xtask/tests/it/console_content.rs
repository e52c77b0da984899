//! Content: stored and read by the command, surveyed by the console's screen.

use std::fs;
use std::time::Duration;

use crate::node::Node;
use crate::terminal::Terminal;
use crate::wait::LONG;

#[test]
fn content_comes_back_as_it_was_put_and_what_is_not_there_is_said() {
    let node = Node::running();
    let (file, copy) = (node.file("picture.bin"), node.file("copy.bin"));
    let bytes: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    fs::write(&file, &bytes).unwrap();
    let stored = node.json(&["content", "put", file.to_str().unwrap()]);
    let hash = stored["hash"].as_str().unwrap().to_owned();
    assert_eq!(stored["size"], bytes.len());

    node.tana(&["content", "get", &hash, "-o", copy.to_str().unwrap()])
        .ok();
    assert_eq!(fs::read(&copy).unwrap(), bytes);
    let again = node.tana(&["content", "get", &hash, "-o", copy.to_str().unwrap()]);
    assert_eq!(again.code, Some(1), "a file is never overwritten");
    assert_eq!(
        node.json(&["content", "status", &hash])["size"],
        bytes.len()
    );

    let none = "0".repeat(64);
    for verb in ["get", "status"] {
        let ran = node.tana(&["content", verb, &none]);
        assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
        assert!(ran.err.contains(&none), "{}", ran.err);
    }
    assert_eq!(node.tana(&["content", "get", "abc"]).code, Some(2));
    let status = node.json(&["content", "status"]);
    assert_eq!(status["missingCount"], 0, "{status}");
    assert!(status["store"].as_str().unwrap().starts_with("http://"));
    assert_eq!(node.json(&["content", "list"]), serde_json::json!([]));
}

#[test]
fn the_content_screen_says_what_the_chain_refers_to() {
    let node = Node::running();
    let console = Terminal::console(node.home(), 80, 24);
    console.until("ready", LONG);
    console.keys("8");
    console.until("refer to no content", LONG);
    console.until("tana content put", Duration::from_secs(5));
}
