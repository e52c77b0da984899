//! Content on its way out: over connections that are used again, in ranges, to readers that are slow, leave, or ask for more
//! before they have all.

use std::time::Duration;

use tana_protocol::Hash32;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::daemon::Daemon;
use crate::mesh;
use crate::t4_rot::{Keeper, Reach};

/// More than is sent at once, and no whole number of anything.
const SIZE: usize = (3 << 20) + 12_345;

struct Site {
    _home: tempfile::TempDir,
    _mesh: Daemon,
    keeper: Keeper,
    bytes: Vec<u8>,
    hash: Hash32,
}

impl Site {
    async fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let mesh = mesh::start(home.path(), Duration::from_secs(300)).await;
        let keeper = Keeper::reached("one", &mesh, Reach::default().larger()).await;
        let numbers = 0..u32::try_from(SIZE).unwrap();
        let bytes: Vec<u8> = numbers.flat_map(u32::to_le_bytes).take(SIZE).collect();
        let hash = keeper.put(&bytes).await;
        Self {
            _home: home,
            _mesh: mesh,
            keeper,
            bytes,
            hash,
        }
    }

    fn get(&self) -> reqwest::RequestBuilder {
        let daemon = &self.keeper.daemon;
        daemon
            .http()
            .get(daemon.url(&format!("/content/{}", self.hash)))
    }

    async fn connect(&self) -> TcpStream {
        let address = self.keeper.daemon.base.strip_prefix("http://").unwrap();
        TcpStream::connect(address).await.unwrap()
    }

    fn request(&self, more: &str) -> Vec<u8> {
        format!(
            "GET /content/{} HTTP/1.1\r\nHost: t4\r\n{more}\r\n",
            self.hash
        )
        .into_bytes()
    }

    /// Reads one answer, and answers its body.
    async fn answer(stream: &mut TcpStream) -> Vec<u8> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.lines();
        let length = lines.find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.unwrap().parse().unwrap()];
        stream.read_exact(&mut body).await.unwrap();
        body
    }
}

#[tokio::test]
async fn one_connection_carries_whole_contents_ranges_and_errors_in_turn() {
    let site = Site::start().await;
    let mib = 1 << 20;
    for _ in 0..5 {
        let whole = site.get().send().await.unwrap().bytes().await.unwrap();
        assert!(whole == site.bytes);
        for (from, to) in [(0, 1), (mib - 1, mib + 1), (5, SIZE - 5), (SIZE - 1, SIZE)] {
            let range = format!("bytes={from}-{}", to - 1);
            let part = site.get().header("range", range).send().await.unwrap();
            assert_eq!(part.status(), 206);
            assert!(part.bytes().await.unwrap() == site.bytes[from..to]);
        }
        let missing = site.keeper.daemon.get("/content/00").await;
        assert_eq!(missing.status, 400);
        assert_eq!(
            site.keeper.client().check(&site.hash).await.unwrap(),
            Some(SIZE as u64)
        );
        let checked = site.get().query(&[("verify", "true")]).send().await;
        assert!(checked.unwrap().bytes().await.unwrap() == site.bytes);
    }
}

#[tokio::test]
async fn who_asks_for_more_before_it_has_all_gets_it_in_order() {
    let site = Site::start().await;
    let mut stream = site.connect().await;
    let ranges = [(0, SIZE), (100, 200_000), (7, 8), (0, SIZE)];
    for (from, to) in ranges {
        let range = format!("Range: bytes={from}-{}\r\n", to - 1);
        stream.write_all(&site.request(&range)).await.unwrap();
    }
    for (from, to) in ranges {
        assert!(Site::answer(&mut stream).await == site.bytes[from..to]);
    }
}

#[tokio::test]
async fn content_that_is_deleted_while_it_is_read_comes_whole_and_who_leaves_disturbs_nobody() {
    let site = Site::start().await;
    let mut slow = site.connect().await;
    slow.write_all(&site.request("")).await.unwrap();
    assert_eq!(slow.read_u8().await.unwrap(), b'H');
    for _ in 0..10 {
        let mut leaves = site.connect().await;
        leaves.write_all(&site.request("")).await.unwrap();
        leaves.read_u8().await.unwrap();
    }
    let keeper = &site.keeper;
    let deleted = keeper.client().delete(&site.hash, &keeper.token()).await;
    assert!(deleted.unwrap().deleted);
    assert!(Site::answer(&mut slow).await == site.bytes);
    assert_eq!(site.get().send().await.unwrap().status(), 404);
    assert_eq!(keeper.put(&site.bytes).await, site.hash);
    let whole = site.get().send().await.unwrap().bytes().await.unwrap();
    assert!(whole == site.bytes);
}
