//! The screen kept in files.

use std::fs;

use crate::node::Node;
use crate::terminal::Terminal;
use crate::wait::LONG;

#[test]
fn the_screen_is_kept_as_text_and_as_a_picture() {
    let node = Node::running();
    let console = Terminal::console(node.home(), 120, 36);
    console.until("ready", LONG);
    console.keys("s");
    console.until("saved", LONG);
    let files: Vec<_> = fs::read_dir(node.file("data/screens"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(files.len(), 2, "{files:?}");
    for file in files {
        let content = fs::read_to_string(&file).unwrap();
        for word in ["identity", "ready", "listening on"] {
            assert!(content.contains(word), "{word} in {}", file.display());
        }
        match file.extension().and_then(|e| e.to_str()) {
            Some("txt") => assert_eq!(content.lines().count(), 36),
            Some("svg") => assert!(content.starts_with("<svg ") && content.ends_with("</svg>\n")),
            other => panic!("{other:?}"),
        }
    }
}
