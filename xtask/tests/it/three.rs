//! Three nodes, each in a network namespace of its own: they register, are approved, sync content; one is cut off and comes
//! back; then the mesh is cut off, and nothing stops that need not.
//!
//! A small version runs in the test command, `cargo xtask mesh-run --mib 1024 --cut 600` the whole one. Where namespaces may
//! not be made, three homes on loopback addresses take their place, and a cut is a service that is frozen.

mod net;
mod place;

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tana_protocol::{Hash32, SecretKey, Timestamp, Transaction, TransactionType, UserId};

use crate::binary;
use crate::wait::{LONG, until};
use place::Place;

/// Content is made of parts of this size at most.
const PART_MIB: usize = 64;

/// What is asked for by the environment; the default takes some seconds.
struct Size {
    mib: usize,
    cut: Duration,
}

impl Size {
    fn wanted() -> Self {
        let number = |name: &str, default: u64| {
            binary::setting(name).map_or(default, |text| text.parse().expect("a whole number"))
        };
        Self {
            mib: usize::try_from(number("TANA_TEST_MESH_MIB", 12)).unwrap(),
            cut: Duration::from_secs(number("TANA_TEST_MESH_CUT", 6)),
        }
    }

    /// Sizes of the parts, in MiB.
    fn parts(&self) -> Vec<usize> {
        let part = (self.mib / 4).clamp(1, PART_MIB);
        let mut left = self.mib;
        let mut parts = Vec::new();
        while left > 0 {
            parts.push(part.min(left));
            left -= part.min(left);
        }
        parts
    }

    /// Long enough for all content on a busy machine.
    fn limit(&self) -> Duration {
        LONG + Duration::from_secs(u64::try_from(self.mib).unwrap())
    }
}

#[test]
fn three_nodes_join_sync_and_bear_being_cut_off() {
    let size = Size::wanted();
    let net = net::Net::make();
    println!("three nodes {}", net.describe());
    let (first, second, third) = (
        Place::new(&net, 0),
        Place::new(&net, 1),
        Place::new(&net, 2),
    );

    first.tana(&["new", "chain", "demo"]).ok();
    first.configure(&first, "full");
    first.start();
    let hashes = store(&first, &size);
    refer(&first, &hashes);

    for place in [&second, &third] {
        place.copy_chain(&first);
        place.configure(&first, "api");
    }
    let begun = Instant::now();
    let said = second.start();
    assert!(said.contains("waits for a sovereign's approval"), "{said}");
    joins(&first, &second);
    until("the second node to have all content", size.limit(), || {
        whole(&second)
    });
    report(
        "synced to the second node from its start on",
        size.mib,
        begun.elapsed(),
    );

    // The third is cut off as soon as something has come.
    third.start();
    joins(&first, &third);
    let (got, _) = until("something to arrive", size.limit(), || {
        let got = received(&third, hashes.len());
        if got > 0 {
            Ok(got)
        } else {
            Err("nothing yet".to_owned())
        }
    });
    let before = [&first, &second, &third].map(Place::starts);
    net.cut(&[&third], &[&first, &second]);
    let short = size.cut.min(Duration::from_secs(60));
    println!(
        "the third node cut off for {} s with {got} of {} parts whole",
        short.as_secs(),
        hashes.len()
    );
    bears(&first, &third, short);
    until("the mesh to notice", LONG, || {
        status(&first, &third, "offline")
    });
    net.mend(&[&third], &[&first, &second]);
    let (_, back) = until("the third node to be back", LONG, || {
        status(&first, &third, "active")
    });
    let (_, took) = until("the third node to have all content", size.limit(), || {
        whole(&third)
    });
    println!(
        "back after {:.1} s, whole after {:.1} s",
        back.as_secs_f64(),
        took.as_secs_f64()
    );
    for (hash, bytes) in &hashes {
        let copy = third.home().join("copy.bin");
        third
            .tana(&["content", "get", hash, "-o", copy.to_str().unwrap()])
            .ok();
        assert_eq!(fs::metadata(&copy).unwrap().len(), *bytes);
        fs::remove_file(copy).unwrap();
    }

    // The mesh is away: what the others know of each other holds.
    let small = second.home().join("small.bin");
    let put = |name: &str| {
        fs::write(&small, name).unwrap();
        third
            .tana_at(
                &second,
                &["content", "put", small.to_str().unwrap(), "--json"],
            )
            .ok()
            .json()["hash"]
            .clone()
    };
    put("before the cut");
    net.cut(&[&first], &[&second, &third]);
    println!("the mesh cut off for {} s", size.cut.as_secs());
    let began = Instant::now();
    let mut rounds = 0;
    while began.elapsed() < size.cut {
        bears(&first, &second, Duration::from_secs(1));
        let hash = put(&format!("round {rounds}"));
        let hash = hash.as_str().unwrap();
        second.tana(&["content", "status", hash]).ok();
        rounds += 1;
        std::thread::sleep(Duration::from_secs(2).min(size.cut / 8));
    }
    net.mend(&[&first], &[&second, &third]);
    for place in [&second, &third] {
        until("everybody to be active again", LONG, || {
            status(&first, place, "active")
        });
    }
    let after = [&first, &second, &third].map(Place::starts);
    assert_eq!(before, after, "no service of any node was started anew");
    println!(
        "while the mesh was away for {:.0} s: {rounds} contents put with a token of another node's, {rounds} blocks, no service started anew",
        began.elapsed().as_secs_f64()
    );
}

fn report(what: &str, mib: usize, took: Duration) {
    #[allow(clippy::cast_precision_loss, reason = "some thousands are exact")]
    let rate = mib as f64 / took.as_secs_f64();
    println!(
        "{mib} MiB {what} in {:.1} s, {rate:.0} MiB/s",
        took.as_secs_f64()
    );
}

/// Contents of the wanted size in the node's store: their hashes and lengths.
fn store(place: &Place, size: &Size) -> Vec<(String, u64)> {
    let file = place.home().join("part.bin");
    let parts = size.parts();
    let stored = parts.iter().enumerate().map(|(number, mib)| {
        let mut bytes = vec![0; mib << 20];
        // Different bytes in each, and none that a file system could leave out.
        let mut word = 0x9e37_79b9_7f4a_7c15_u64 ^ number as u64;
        for chunk in bytes.chunks_exact_mut(8) {
            word ^= word << 13;
            word ^= word >> 7;
            word ^= word << 17;
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        fs::write(&file, &bytes).unwrap();
        let put = place
            .tana(&["content", "put", file.to_str().unwrap(), "--json"])
            .ok()
            .json();
        (put["hash"].as_str().unwrap().to_owned(), bytes.len() as u64)
    });
    let stored = stored.collect();
    fs::remove_file(file).unwrap();
    stored
}

/// A block with a transaction of the sovereign's that refers to all of it.
fn refer(place: &Place, hashes: &[(String, u64)]) {
    for name in ["alice", "bob"] {
        place.tana(&["new", "user", name]).ok();
        place.tana(&["deploy", "user", name, "--wait"]).ok();
    }
    place
        .tana(&["deposit", "alice", "1000", "USD", "--wait"])
        .ok();
    let (alice, key) = user(place, "alice");
    let (bob, _) = user(place, "bob");
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let now = Timestamp::from_ms(u64::try_from(now.as_millis()).unwrap());
    let mut transaction =
        Transaction::new(TransactionType::Transfer, alice.into(), bob.into(), now, 1);
    transaction.amount = Some("1".parse().unwrap());
    transaction.currency_code = Some("USD".parse().unwrap());
    let info = place.get("ledger", "/info");
    transaction.chain_id = Some(info["chainId"].as_str().unwrap().to_owned());
    let refs: Vec<Hash32> = hashes
        .iter()
        .map(|(hash, _)| hash.parse().unwrap())
        .collect();
    transaction.metadata = Some(json!({ "contentRefs": refs }));
    let signed = transaction.sign(&key);
    let body = tana_protocol::json::compact(&signed);
    let (status, answer) = place.ask("ledger", "POST", "/transactions", &body).unwrap();
    assert_eq!(status, 202, "{answer}");
    until("the block that refers to it", LONG, || {
        let view = place.get("ledger", &format!("/transactions/{}", signed.id()));
        if view["status"] == "confirmed" {
            Ok(())
        } else {
            Err(view.to_string())
        }
    });
}

/// A user of the home: its id on the chain, and its key.
fn user(place: &Place, name: &str) -> (UserId, SecretKey) {
    let path = place.home().join(format!("users/{name}.json"));
    let file: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let text = |field: &str| file[field].as_str().unwrap().to_owned();
    (
        text("userId").parse().unwrap(),
        text("secretKey").parse().unwrap(),
    )
}

/// It registers by itself, and says what it waits for; the sovereign approves it.
fn joins(mesh: &Place, node: &Place) {
    until("the node to register", LONG, || {
        status(mesh, node, "pending")
    });
    mesh.tana(&["mesh", "approve", node.id(), "--yes"]).ok();
    until("the node to be active", LONG, || {
        status(mesh, node, "active")
    });
}

fn status(mesh: &Place, node: &Place, wanted: &str) -> Result<(), String> {
    let path = format!("/nodes/{}", node.id());
    match mesh.ask("mesh", "GET", &path, "") {
        Some((200, answer)) if answer["node"]["status"] == wanted => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

/// Whether a node has all content that its chain refers to.
fn whole(place: &Place) -> Result<(), String> {
    match place.ask("ledger", "GET", "/content/status", "") {
        Some((200, answer)) if answer["missingCount"] == 0 && answer["referenced"] != 0 => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

/// How many parts have come whole.
fn received(place: &Place, parts: usize) -> usize {
    match place.ask("ledger", "GET", "/content/status", "") {
        Some((200, answer)) if answer["referenced"] != 0 => {
            let missing = usize::try_from(answer["missingCount"].as_u64().unwrap()).unwrap();
            parts - missing.min(parts)
        }
        _ => 0,
    }
}

/// For so long, what need not stop does not: the chain makes blocks, and a node that is cut off is ready and answers.
fn bears(chain: &Place, away: &Place, time: Duration) {
    let began = Instant::now();
    loop {
        chain
            .tana(&["deposit", "alice", "0.01", "USD", "--wait"])
            .ok();
        let not_ready = away.not_ready();
        assert!(not_ready.is_empty(), "{not_ready:?}");
        let left = time.saturating_sub(began.elapsed());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left.min(Duration::from_secs(1)));
    }
}
