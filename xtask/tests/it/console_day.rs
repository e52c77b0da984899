//! A whole day of an operator, typed into one terminal: nothing here reaches the node but keys.
//!
//! What others do (nodes that register, a service that crashes) is done from outside, as it would be.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;

use crate::console_loss::Outage;
use crate::console_sign::{Agent, approved_by, register};
use crate::node::Node;
use crate::process;
use crate::shell;
use crate::terminal::Terminal;
use crate::wait::{LONG, until};

/// Types a command into the shell, waits until it is done, and that it went well.
#[track_caller]
fn command(shell: &Terminal, line: &str, says: &str) {
    static DONE: AtomicU32 = AtomicU32::new(1);
    // What is typed does not contain what is waited for, nor does what an earlier command has left there.
    let n = DONE.fetch_add(1, Ordering::Relaxed);
    shell.keys("clear\r");
    shell.keys(&format!("{line} && echo well-$((100 + {n}))\r"));
    shell.until(&format!("well-{}", 100 + n), LONG * 2);
    assert!(shell.text().contains(says), "{line}:\n{}", shell.text());
}

#[test]
fn a_days_work_by_keyboard_alone() {
    let (node, other) = (Node::with_chain(), Node::running());
    let agent = Agent::with_key(node.home());
    node.set("portOffset", node.offset);
    node.set("contexts", json!({"other": {"home": other.home()}}));
    let day = shell::in_home(node.home(), 120, 36);

    // Morning: the node does not run yet. One key starts it.
    day.keys("tana\r");
    day.until("The node does not run.", LONG);
    day.keys("S");
    day.until("all well", LONG);
    // The sovereign's key is at home in an ssh-agent; it is made known once.
    day.keys("\x1a");
    day.until("Stopped", LONG);
    command(
        &day,
        &format!(
            "tana sovereign add '{}' --description carol",
            agent.public.trim()
        ),
        "added",
    );
    for user in ["alice", "bob"] {
        command(&day, &format!("tana new user {user}"), user);
        command(&day, &format!("tana deploy user {user} --wait"), user);
    }
    command(&day, "tana deposit alice 100 USD --wait", "100");
    // The key file is put away: nothing but the agent can sign from here on.
    command(&day, "mv sovereign-key.json away.json", "");
    day.keys("fg\r");
    day.until("all well", LONG);
    day.keys("q");
    day.until("The node keeps running", LONG);
    day.keys("clear; tana\r");
    day.until("all well", LONG);

    // Two nodes ask to join. One is known, the other is not.
    register(&node, "validator-2", 100);
    day.until("1 waits for approval", LONG);
    day.keys("!");
    day.until("ssh-agent, carol@laptop", LONG);
    day.until("validator-2", LONG);
    day.keys("a");
    day.until("Signed with", LONG);
    day.keys("y");
    day.until("validator-2 is approved", LONG);
    register(&node, "stranger", 100);
    day.until("1 waits for approval", LONG);
    day.until("stranger", LONG);
    day.keys("d");
    day.until("deny stranger", LONG);
    day.keys("stranger\r");
    day.until("stranger is denied", LONG);
    let key = approved_by(&node, "validator-2");
    assert!(
        key.as_str().is_some_and(|key| key.starts_with("ed25519_")),
        "{key}"
    );

    // Noon: a service crashes and crashes again, until it is only tried now and then. The key is one away.
    {
        let _crashing = Outage::of(node.home().to_owned(), "identity");
        until("identity to have failed a few times", LONG, || {
            let service = node.service("identity")?;
            if service.restarts >= 3 {
                Ok(())
            } else {
                Err(format!("{service:?}"))
            }
        });
        day.keys("1");
        day.until_screen("what is wrong", LONG, |text| {
            text.contains("identity") && !text.contains("all well")
        });
    }
    // The cursor stands on what is worst off.
    day.keys("r");
    day.until("all well", LONG);
    assert!(process::of_service(node.home(), "identity").is_some());
    // Why? Its log says so.
    day.keys("9");
    day.until("all services", LONG);
    day.keys("/validator-2 waits\r");
    day.until_screen("the line of the registration", LONG, |text| {
        text.lines()
            .any(|line| line.contains("mesh") && line.contains("waits for a sovereign"))
    });
    day.keys("\x1b");
    // The next key right after Esc would be read as one chord with it.
    day.until_screen("no filter", LONG, |text| !text.contains("Esc clears"));

    // Money moves, and is followed into its block.
    day.keys("4");
    day.until("block time", LONG);
    day.keys("\x1a");
    day.until("Stopped", LONG);
    command(&day, "tana transfer alice bob 12.50 USD --wait", "12.50");
    day.keys("fg\r");
    day.until_screen("the transfer in the newest block", LONG, |text| {
        text.lines().any(|line| {
            ["transfer", "alice", "bob", "12.50 USD"]
                .iter()
                .all(|word| line.contains(word))
        })
    });
    day.keys("v");
    day.until("is valid: all", LONG);

    // Somebody logs in: the code is scanned and approved with alice's phone.
    day.keys("7");
    day.until("waiting", LONG);
    day.keys("x");
    day.until("scanned", LONG);
    for _ in 0..8 {
        if day.text().contains("test phone: alice") {
            break;
        }
        day.keys("u");
        day.until_quiet();
    }
    day.keys("a");
    day.until("approved by @alice", LONG);

    contract(&day);

    // The other node has its own day.
    day.keys("1:ctx other\r");
    day.until(&(8080 + other.offset).to_string(), LONG);
    day.until("all well", LONG);
    day.keys("4");
    day.until("height 0", LONG);
    day.keys(":ctx here\r");
    day.until_screen("back here", LONG, |text| !text.contains("height 0 "));
    day.keys("1");
    day.until(&(8080 + node.offset).to_string(), LONG);

    // Evening: the console is left, the services are not.
    let before = process::of_home(node.home());
    day.keys("q");
    day.until("The node keeps running", LONG);
    day.keys("clear; tana verify --all && tana balance bob\r");
    day.until("12.50", LONG);
    let left = process::of_home(node.home());
    assert!(
        before.difference(&left).count() <= 1,
        "only the console has ended: {before:?}, {left:?}"
    );
    node.until_ready();
}

/// A contract is written, run and deployed.
fn contract(day: &Terminal) {
    day.keys("\x1a");
    day.until("Stopped", LONG);
    command(day, "tana new contract till", "till");
    command(day, "tana run till/contract.ts", "");
    command(day, "tana deploy contract till --as alice --wait", "till");
    day.keys("fg\r");
    // What is typed before the console has the terminal again goes to the shell.
    day.until("7 Login", LONG);
    day.keys("6");
    day.until("till", LONG);
}
