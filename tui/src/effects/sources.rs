//! Follows the daemons' streams and turns what they say into messages. The streams reconnect by themselves; each time one stands
//! again the whole present state is read.

use futures::StreamExt as _;
use tana_client::{
    ClientError, LedgerClient, LedgerEvent, LogQuery, MeshClient, MeshEvent, NodeClient, NodeEvent,
    NodeFilter, PageQuery, StreamItem,
};
use tana_protocol::Timestamp;
use tana_protocol::api::node::LogLine;

use super::Outbox;
use super::chain::Known;
use crate::model::Source;
use crate::model::link::Link;
use crate::msg::{ChainNews, Change, MeshNews, Msg, NodeNews};

/// Log lines of the past that are read at the start.
const TAIL: u32 = 500;
/// Lines handed over in one message. Room for so many is made for each, however few there are.
const BATCH: usize = 256;
/// Blocks read at the start.
const BLOCKS: u32 = 120;

/// After what cannot be put right by itself: a refusal, or a stream that stands while the rest cannot be read.
const AGAIN: std::time::Duration = std::time::Duration::from_secs(2);

/// Follows for ever: from the beginning where following came to an end.
async fn again<F: Future<Output = ()>>(follow: impl Fn() -> F) {
    loop {
        follow().await;
        tokio::time::sleep(AGAIN).await;
    }
}

/// What a refusal or a loss says of the connection.
fn trouble(error: &ClientError, since: Timestamp) -> Link {
    if error.is_unreachable() {
        Link::Absent { since }
    } else {
        Link::Lost {
            since,
            why: error.to_string(),
        }
    }
}

/// A stream that is gone: whether nobody listens there at all is asked once more.
async fn lost<T, F>(since: Timestamp, why: String, probe: F) -> Link
where
    F: Future<Output = Result<T, ClientError>>,
{
    match probe.await {
        Err(error) if error.is_unreachable() => Link::Absent {
            since: tana_client::now().max(since),
        },
        _ => Link::Lost { since, why },
    }
}

pub(super) async fn node(client: NodeClient, outbox: Outbox) {
    again(|| node_once(&client, &outbox)).await;
}

async fn node_once(client: &NodeClient, outbox: &Outbox) {
    let mut stream = client.events();
    while let Some(item) = stream.next().await {
        match item {
            StreamItem::Connected => match client.status().await {
                Ok(view) => {
                    outbox.send(Msg::Node(NodeNews::All(Box::new(view))));
                    outbox.send(Msg::Link(Source::Node, Link::Live));
                }
                Err(error) => {
                    outbox.send(Msg::Link(Source::Node, trouble(&error, tana_client::now())));
                    return;
                }
            },
            StreamItem::Event(NodeEvent::Service(view)) => {
                outbox.send(Msg::Node(NodeNews::Service(view)));
            }
            StreamItem::Event(NodeEvent::Log(line)) => outbox.send(Msg::Logs(vec![line])),
            StreamItem::Event(NodeEvent::Stopping) => outbox.send(Msg::Node(NodeNews::Stopping)),
            StreamItem::Lost { since, why } => {
                let link = lost(since, why, client.status()).await;
                outbox.send(Msg::Link(Source::Node, link));
            }
            StreamItem::Refused(error) => {
                outbox.send(Msg::Link(Source::Node, trouble(&error, tana_client::now())));
                return;
            }
        }
    }
}

pub(super) async fn logs(client: NodeClient, outbox: Outbox) {
    let query = LogQuery {
        tail: Some(TAIL),
        ..LogQuery::default()
    };
    let mut batches = client.follow_logs(None, &query).ready_chunks(BATCH);
    while let Some(batch) = batches.next().await {
        let mut lines = Vec::with_capacity(batch.len());
        for item in batch {
            match item {
                StreamItem::Event(NodeEvent::Log(line)) => lines.push(line),
                StreamItem::Connected => {
                    send_lines(&outbox, &mut lines);
                    outbox.send(Msg::LogsAgain);
                }
                _ => {}
            }
        }
        send_lines(&outbox, &mut lines);
        // A flood must not keep keys waiting.
        tokio::task::yield_now().await;
    }
}

fn send_lines(outbox: &Outbox, lines: &mut Vec<LogLine>) {
    if !lines.is_empty() {
        outbox.send(Msg::Logs(std::mem::take(lines)));
    }
}

pub(super) async fn ledger(client: LedgerClient, known: Known, outbox: Outbox) {
    again(|| ledger_once(&client, &known, &outbox)).await;
}

async fn ledger_once(client: &LedgerClient, known: &Known, outbox: &Outbox) {
    let mut stream = client.events();
    while let Some(item) = stream.next().await {
        match item {
            StreamItem::Connected => match whole_chain(client, known, outbox).await {
                Ok(()) => outbox.send(Msg::Link(Source::Ledger, Link::Live)),
                Err(error) => {
                    outbox.send(Msg::Link(
                        Source::Ledger,
                        trouble(&error, tana_client::now()),
                    ));
                    return;
                }
            },
            StreamItem::Event(LedgerEvent::Block(block)) => {
                outbox.send(Msg::Chain(ChainNews::Block(block)));
            }
            StreamItem::Event(LedgerEvent::Queue(queue)) => {
                outbox.send(Msg::Chain(ChainNews::QueueLength(queue.length)));
            }
            StreamItem::Event(LedgerEvent::Transaction(_)) => {}
            StreamItem::Lost { since, why } => {
                let link = lost(since, why, client.info()).await;
                outbox.send(Msg::Link(Source::Ledger, link));
            }
            StreamItem::Refused(error) => {
                outbox.send(Msg::Link(
                    Source::Ledger,
                    trouble(&error, tana_client::now()),
                ));
                return;
            }
        }
    }
}

async fn whole_chain(
    client: &LedgerClient,
    known: &Known,
    outbox: &Outbox,
) -> Result<(), ClientError> {
    let info = client.info().await?;
    known.info(info.clone());
    outbox.send(Msg::Chain(ChainNews::Info(Box::new(info))));
    let page = client.blocks(&PageQuery::first(BLOCKS)).await?;
    outbox.send(Msg::Chain(ChainNews::Recent(page.items)));
    Ok(())
}

pub(super) async fn mesh(client: MeshClient, outbox: Outbox) {
    again(|| mesh_once(&client, &outbox)).await;
}

async fn mesh_once(client: &MeshClient, outbox: &Outbox) {
    let mut stream = client.events();
    while let Some(item) = stream.next().await {
        match item {
            StreamItem::Connected => match whole_mesh(client, outbox).await {
                Ok(()) => outbox.send(Msg::Link(Source::Mesh, Link::Live)),
                Err(error) => {
                    outbox.send(Msg::Link(Source::Mesh, trouble(&error, tana_client::now())));
                    return;
                }
            },
            StreamItem::Event(event) => outbox.send(Msg::Mesh(match event {
                MeshEvent::Registered(node) => MeshNews::One(node, Change::Registered),
                MeshEvent::Approved(node)
                | MeshEvent::Denied(node)
                | MeshEvent::Removed(node)
                | MeshEvent::Voted(node) => MeshNews::One(node, Change::Decided),
                MeshEvent::Status(node) | MeshEvent::Changed(node) => {
                    MeshNews::One(node, Change::Status)
                }
                MeshEvent::Heartbeat(node) => MeshNews::One(node, Change::Heartbeat),
                MeshEvent::Sovereign(keys) => MeshNews::Keys(keys.keys),
            })),
            StreamItem::Lost { since, why } => {
                let link = lost(since, why, client.info()).await;
                outbox.send(Msg::Link(Source::Mesh, link));
            }
            StreamItem::Refused(error) => {
                outbox.send(Msg::Link(Source::Mesh, trouble(&error, tana_client::now())));
                return;
            }
        }
    }
}

/// Who reaches whom.
pub(super) async fn links(client: MeshClient, outbox: Outbox) {
    // What it cannot say now, it is asked again with the next heartbeat.
    if let Ok(topology) = client.topology().await {
        outbox.send(Msg::Mesh(MeshNews::Links(topology.links)));
    }
}

/// All nodes, who reaches whom, the sovereign keys.
pub(super) async fn whole_mesh(client: &MeshClient, outbox: &Outbox) -> Result<(), ClientError> {
    let nodes = client.nodes(&NodeFilter::All).await?;
    let links = client.topology().await?.links;
    outbox.send(Msg::Mesh(MeshNews::All { nodes, links }));
    let keys = client.sovereigns().await?;
    outbox.send(Msg::Mesh(MeshNews::Keys(keys.keys)));
    Ok(())
}
