//! Content that is stored again: whatever happens to the copy that is there, what was answered as stored is stored.

use std::fs::File;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::StreamExt as _;
use tana_client::{PageQuery, now};
use tana_protocol::Hash32;

use crate::daemon::{Daemon, until};
use crate::mesh;
use crate::t4_rot::{Keeper, Reach};

const MINUTE: Duration = Duration::from_secs(60);

async fn registry(home: &tempfile::TempDir) -> Daemon {
    mesh::start(home.path(), 5 * MINUTE).await
}

#[tokio::test]
async fn what_is_deleted_while_it_is_stored_again_is_there_afterwards() {
    let home = tempfile::tempdir().unwrap();
    let mesh = registry(&home).await;
    let one = Keeper::join("one", &mesh).await;
    let bytes = Bytes::from(vec![7; 600_000]);
    let hash = one.put(&bytes).await;
    let (parts, sent) = futures::channel::mpsc::unbounded();
    let (client, token) = (one.client(), one.token());
    let upload = client.put_stream(&hash, sent.map(Ok::<_, std::io::Error>), &token);
    parts.unbounded_send(bytes.slice(..300_000)).unwrap();
    let unfinished = one.home.path().join("content/tmp");
    let deleted = async {
        until("some of it to come", async || {
            let mut found = std::fs::read_dir(&unfinished).unwrap().flatten();
            found.any(|file| file.metadata().is_ok_and(|about| about.len() > 0))
        })
        .await;
        client.delete(&hash, &one.token()).await.unwrap();
        parts.unbounded_send(bytes.slice(300_000..)).unwrap();
        parts.close_channel();
    };
    let (stored, ()) = futures::join!(upload, deleted);
    assert!(stored.unwrap().stored);
    assert_eq!(client.check(&hash).await.unwrap(), Some(600_000));
    let info = client.info().await.unwrap();
    assert_eq!((info.count, info.bytes), (1, 600_000));
}

#[tokio::test]
async fn good_bytes_take_the_place_of_rotten_ones_and_are_as_new() {
    let home = tempfile::tempdir().unwrap();
    let mesh = registry(&home).await;
    let one = Keeper::join("one", &mesh).await;
    let bytes = vec![7; 100_000];
    let hash = one.put(&bytes).await;
    one.rot(&hash);
    let long_ago = SystemTime::now() - 1000 * MINUTE;
    let file = File::options().write(true).open(one.path(&hash)).unwrap();
    file.set_modified(long_ago).unwrap();
    drop(file);
    let before = now();
    one.put(&bytes).await;
    assert_eq!(one.client().check(&hash).await.unwrap(), Some(100_000));
    let listed = one.client().list(&PageQuery::first(10), &one.token()).await;
    let listed = listed.unwrap().items;
    // The collector of unreferenced content goes by this time; the disk's clock may be a tick behind.
    assert!(listed[0].stored_at.plus(MINUTE / 60) >= before);
    let info = one.client().info().await.unwrap();
    assert_eq!((info.count, info.bytes), (1, 100_000));
}

#[tokio::test]
async fn storing_again_needs_no_further_room() {
    let home = tempfile::tempdir().unwrap();
    let mesh = registry(&home).await;
    let one = Keeper::with("one", &mesh, |config| config.quota_bytes = Some(1000)).await;
    let hash = one.put(&[1; 600]).await;
    for _ in 0..3 {
        one.put(&[1; 600]).await;
    }
    let other = one.client().put(vec![2; 401].into(), &one.token()).await;
    assert!(other.is_err());
    assert_eq!(one.client().check(&hash).await.unwrap(), Some(600));
    let info = one.client().info().await.unwrap();
    assert_eq!((info.count, info.bytes), (1, 600));
}

#[tokio::test]
async fn who_reads_a_rotten_copy_to_its_end_leaves_the_good_one_that_has_come_since() {
    let home = tempfile::tempdir().unwrap();
    let mesh = registry(&home).await;
    let one = Keeper::reached("one", &mesh, Reach::default().larger()).await;
    // More than sockets hold: the reading is still under way when the good copy comes.
    let bytes = vec![7; 32 << 20];
    let hash = one.put(&bytes).await;
    one.rot(&hash);
    let url = one.daemon.url(&format!("/content/{hash}?verify=true"));
    let mut reading = one.daemon.http().get(&url).send().await.unwrap();
    assert!(reading.chunk().await.unwrap().is_some());
    one.put(&bytes).await;
    assert!(reading.bytes().await.is_err(), "it was the rotten one");
    assert_eq!(one.client().check(&hash).await.unwrap(), Some(32 << 20));
    let info = one.client().info().await.unwrap();
    assert_eq!((info.quarantined, info.count), (Vec::new(), 1));
}

#[tokio::test]
async fn what_cannot_be_read_for_other_reasons_is_not_taken_for_rotten() {
    let home = tempfile::tempdir().unwrap();
    let mesh = registry(&home).await;
    let one = Keeper::join("one", &mesh).await;
    let good = one.put(b"good").await;
    // Opens, and reading it fails: as when the machine, not the disk, is at its end.
    let odd = Hash32::of(b"a directory in the place of content");
    std::fs::create_dir_all(one.path(&odd)).unwrap();
    one.client().scrub(&one.token()).await.unwrap();
    until("the pass to end", async || {
        one.client()
            .info()
            .await
            .unwrap()
            .scrub
            .finished_at
            .is_some()
    })
    .await;
    let info = one.client().info().await.unwrap();
    assert_eq!((info.scrub.checked, info.scrub.rotten), (1, 0));
    assert!(info.quarantined.is_empty() && one.path(&odd).exists());
    assert!(one.client().check(&good).await.unwrap().is_some());
}

#[tokio::test]
async fn a_pass_that_breaks_off_is_not_shown_as_running() {
    let home = tempfile::tempdir().unwrap();
    let mesh = registry(&home).await;
    let one = Keeper::join("one", &mesh).await;
    let hash = one.put(b"good").await;
    one.rot(&hash);
    // It cannot be put in quarantine: something lies in its place.
    let place = one.home.path().join("content/quarantine");
    std::fs::create_dir(place.join(hash.to_hex())).unwrap();
    one.client().scrub(&one.token()).await.unwrap();
    until("the pass to break off", async || {
        let scrub = one.client().info().await.unwrap().scrub;
        scrub.rotten == 1 && !scrub.running
    })
    .await;
    let scrub = one.client().info().await.unwrap().scrub;
    assert_eq!(scrub.finished_at, None, "nobody has read everything");
}
