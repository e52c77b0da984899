//! `tana content`: bytes by their SHA-256 in the node's content store.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use clap::{Args, Subcommand};
use serde_json::json;
use tana_client::ContentClient;
use tana_home::KeyFile;
use tana_protocol::api::content::SyncStatus;
use tana_protocol::node::NodeKey;
use tana_protocol::{Hash32, ServiceKind, ServiceToken};

use super::context::Context;
use super::exit::{Exit, failure};
use super::output::{Side, Table};
use crate::show::count;
use crate::survey::{self, Survey};

/// How long the token of one upload is good for.
const TOKEN: Duration = Duration::from_secs(300);

#[derive(Debug, Subcommand)]
pub(crate) enum Content {
    /// Store a file; prints the hash that it is found by
    Put(Put),
    /// Read content, checked against its hash
    Get(Get),
    /// Whether the store has content, or what of all that the chain refers to is missing and from where it comes
    Status(Status),
    /// What the chain's blocks refer to, and what of it this node lacks
    List(List),
}

#[derive(Debug, Args)]
pub(crate) struct Put {
    /// The file, or - for standard input
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Get {
    /// The SHA-256 of the content, 64 hex digits
    hash: Hash32,
    /// Write it to this file, which must not exist; default: standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// The SHA-256 of the content; default: all that the chain refers to
    hash: Option<Hash32>,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    reach: Reach,
    /// Only what this node lacks
    #[arg(long)]
    missing: bool,
}

#[derive(Debug, Args)]
struct Reach {
    /// How many of the newest blocks are looked through
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    blocks: u64,
}

impl Content {
    pub(crate) async fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        let store = ContentClient::new(&context.url(ServiceKind::T4))?;
        match self {
            Self::Put(put) => put.execute(context, &store).await,
            Self::Get(get) => get.execute(context, &store).await,
            Self::Status(status) => status.execute(context, &store).await,
            Self::List(list) => list.execute(context, &store).await,
        }
    }
}

impl Put {
    async fn execute(self, context: &Context, store: &ContentClient) -> anyhow::Result<Exit> {
        let bytes = read(&self.file, context.settings.content_max_bytes)?;
        // Ledgers write; this node's own ledger's key follows from the node's.
        let file = KeyFile::read(&context.home().node_key_file())?;
        let key = NodeKey::new(file.secret_key).service_key(ServiceKind::Ledger);
        let token = ServiceToken::issue(
            &key,
            ServiceKind::Ledger,
            context.settings.node_id.clone(),
            tana_client::now(),
            TOKEN,
        );
        let stored = store.put(bytes, &token).await?;
        context.out.show(&stored, || {
            format!("{}  {}\n", stored.hash, survey::size(stored.size))
        })?;
        Ok(Exit::Done)
    }
}

/// The file's bytes, refused before they are read where the store would refuse them.
fn read(path: &Path, limit: u64) -> anyhow::Result<Bytes> {
    let mut bytes = Vec::new();
    let named = path.display().to_string();
    let from_input = named == "-";
    let mut source: Box<dyn std::io::Read> = if from_input {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(path).with_context(|| format!("{named} cannot be read"))?)
    };
    source
        .by_ref()
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .with_context(|| format!("{named} cannot be read"))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(failure(
            Exit::Misuse,
            format!(
                "{named} is larger than {}, the most that contentMaxBytes allows",
                survey::size(limit)
            ),
        ));
    }
    Ok(bytes.into())
}

impl Get {
    async fn execute(self, context: &Context, store: &ContentClient) -> anyhow::Result<Exit> {
        let limit = usize::try_from(context.settings.content_max_bytes).unwrap_or(usize::MAX);
        let Some(bytes) = store.get(&self.hash, limit).await? else {
            return Err(absent(&self.hash, store));
        };
        match &self.output {
            None => {
                use std::io::Write as _;
                let mut out = std::io::stdout().lock();
                out.write_all(&bytes)?;
                out.flush()?;
            }
            Some(path) => {
                use std::io::Write as _;
                let mut file = std::fs::File::create_new(path)
                    .with_context(|| format!("{} cannot be written", path.display()))?;
                file.write_all(&bytes)?;
                let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                let value = json!({"hash": self.hash, "size": size, "file": path});
                context.out.show(&value, || {
                    format!("{}  {}\n", path.display(), survey::size(size))
                })?;
            }
        }
        Ok(Exit::Done)
    }
}

fn absent(hash: &Hash32, store: &ContentClient) -> anyhow::Error {
    failure(
        Exit::Failed,
        format!(
            "the content store at {} does not have {}; ask another node's with --node",
            store.base(),
            hash.to_hex()
        ),
    )
}

impl Status {
    async fn execute(self, context: &Context, store: &ContentClient) -> anyhow::Result<Exit> {
        if let Some(hash) = self.hash {
            let Some(size) = store.size(&hash).await? else {
                return Err(absent(&hash, store));
            };
            let value = json!({"hash": hash, "size": size});
            context
                .out
                .show(&value, || format!("{hash}  {}\n", survey::size(size)))?;
            return Ok(Exit::Done);
        }
        let status = context.ledger()?.content_status().await?;
        let mut value = serde_json::to_value(&status)?;
        value["store"] = json!(store.base());
        context.out.show(&value, || shown(&status, store))?;
        if let Some(trouble) = &status.trouble {
            context.out.hint(trouble)?;
        }
        if status.missing_count == 0 && status.trouble.is_none() {
            return Ok(Exit::Done);
        }
        Ok(Exit::Failed)
    }
}

/// What the ledger's sync says, and a line for each content on its way.
fn shown(status: &SyncStatus, store: &ContentClient) -> String {
    let mut text = format!(
        "store     {}\nblocks    up to {}\nobjects   {}\nmissing   {}\nfetched   {}, {}\n",
        store.base(),
        count(status.height),
        count(status.referenced),
        count(status.missing_count),
        count(status.fetched),
        survey::size(status.fetched_bytes),
    );
    for content in &status.missing {
        let come = match content.size {
            Some(size) => format!(
                "{} of {}",
                survey::size(content.received),
                survey::size(size)
            ),
            None => "size unknown".to_owned(),
        };
        let from = match (&content.source, &content.trouble) {
            (Some(node), _) => format!("from {node}"),
            (None, Some(why)) => why.clone(),
            (None, None) => "waits".to_owned(),
        };
        text.push_str(&format!("{}  {come}  {from}\n", content.hash));
    }
    text
}

impl List {
    async fn execute(self, context: &Context, store: &ContentClient) -> anyhow::Result<Exit> {
        let mut found = survey::survey(&context.ledger()?, store, self.reach.blocks).await?;
        if self.missing {
            found.objects.retain(|object| object.size.is_none());
        }
        context.out.show(&found.objects, || {
            if found.objects.is_empty() {
                let blocks = format!("blocks {} to {}", count(found.from), count(found.to));
                return if self.missing {
                    format!("nothing is missing of what {blocks} refer to\n")
                } else {
                    format!("{blocks} refer to no content\n")
                };
            }
            let mut table = Table::new(&[
                ("block", Side::Right),
                ("size", Side::Right),
                ("content", Side::Left),
            ]);
            for object in &found.objects {
                table.row([
                    count(object.height),
                    object
                        .size
                        .map_or_else(|| "missing".to_owned(), survey::size),
                    object.hash.to_hex(),
                ]);
            }
            table.text(context.out)
        })?;
        end(context, &found)
    }
}

/// Missing content is a failure of this node: scripts branch on it.
fn end(context: &Context, found: &Survey) -> anyhow::Result<Exit> {
    if found.missing() == 0 {
        return Ok(Exit::Done);
    }
    context
        .out
        .hint("get what is missing from another node: tana --node URL content get HASH -o FILE, then tana content put FILE")?;
    Ok(Exit::Failed)
}
