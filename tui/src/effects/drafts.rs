//! Contracts and their files: read, made, saved, run by `tana-runtime`, deployed.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tana_client::LedgerClient;
use tana_home::Settings;
use tana_protocol::ContractId;
use tokio::io::AsyncReadExt as _;

use super::Outbox;
use crate::cli::launch;
use crate::cli::submit;
use crate::cli::wait::confirmed;
use crate::draft::{self, Draft, Sheet};
use crate::effect::Author;
use crate::features::contracts::playground::{Charge, Entry, Failure, Outcome, Ran};
use crate::msg::{DraftNews, Msg};
use crate::show::{clean, count};

/// A run that takes longer is ended; its own limits come before.
const RUN: Duration = Duration::from_secs(60);
/// More output than this is not taken.
const OUTPUT: u64 = 8 << 20;
/// A deployment is waited for so long.
const CONFIRM: Duration = Duration::from_secs(30);

pub(super) async fn source(ledger: LedgerClient, id: ContractId, outbox: Outbox) {
    let result = match ledger.contract(&id).await {
        Ok(contract) => contract
            .source_code
            .ok_or_else(|| "the ledger does not give it".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    outbox.send(Msg::Draft(DraftNews::Source { id, result }));
}

/// Something with files, off the thread that answers keys.
async fn away<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> Result<T, String> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(|error| format!("{error:#}")),
        Err(error) => Err(error.to_string()),
    }
}

pub(super) async fn make(name: String, outbox: Outbox) {
    let made = away(move || Draft::make(&name)).await;
    outbox.send(Msg::Draft(DraftNews::Opened(made.map(Box::new))));
}

pub(super) async fn open(path: PathBuf, outbox: Outbox) {
    let draft = away(move || Draft::read(&path)).await;
    outbox.send(Msg::Draft(DraftNews::Opened(draft.map(Box::new))));
}

pub(super) async fn save(file: PathBuf, text: String, own: bool, outbox: Outbox) {
    let saved = away(move || {
        written(&file, &text, own)
            .map_err(|error| anyhow::anyhow!("{} is not saved: {error}", file.display()))?;
        Ok((file, text))
    });
    outbox.send(Msg::Draft(DraftNews::Saved(saved.await)));
}

/// Writes a file whole or not at all; one that is there only when it is the text's own.
fn written(file: &Path, text: &str, own: bool) -> std::io::Result<()> {
    if !own {
        let mut new = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o644)
            .open(file)?;
        new.write_all(text.as_bytes())?;
        return new.sync_all();
    }
    // Through a link to the file itself, which stays one.
    let file = std::fs::canonicalize(file)?;
    let directory = file.parent().unwrap_or(Path::new("."));
    let mut beside = tempfile::NamedTempFile::new_in(directory)?;
    beside.write_all(text.as_bytes())?;
    let before = std::fs::metadata(&file)?.permissions();
    beside.as_file().set_permissions(before)?;
    beside.as_file().sync_all()?;
    beside.persist(&file)?;
    Ok(())
}

pub(super) async fn run(source: String, input: Option<Value>, entry: Entry, outbox: Outbox) {
    let result = ran(&source, input.as_ref(), entry).await.map(Box::new);
    outbox.send(Msg::Draft(DraftNews::Ran { source, result }));
}

async fn ran(source: &str, input: Option<&Value>, entry: Entry) -> Result<Ran, String> {
    let sheet = Sheet::of(source).map_err(|error| format!("the source cannot be run: {error}"))?;
    let mut arguments = vec!["--entry".to_owned(), entry.name().to_owned()];
    if let Some(input) = input {
        arguments.extend(["--input".to_owned(), input.to_string()]);
    }
    let outcome: Outcome = tool("run", &sheet, &arguments).await?;
    #[derive(Deserialize)]
    struct Gas {
        #[serde(default)]
        charges: Vec<Charge>,
    }
    // What does not compile costs nothing: the run has said why.
    let gas: Gas = tool("gas", &sheet, &[]).await?;
    Ok(Ran {
        outcome,
        charges: gas.charges,
    })
}

/// Asks `tana-runtime` about a source. It ends with this task.
async fn tool<T: DeserializeOwned>(
    what: &str,
    sheet: &Sheet,
    arguments: &[String],
) -> Result<T, String> {
    let program = launch::program("tana-runtime").map_err(|error| error.to_string())?;
    let unable = |error: std::io::Error| format!("tana-runtime {what}: {error}");
    let mut child = tokio::process::Command::new(&program)
        .arg(what)
        .arg(sheet.path())
        .arg("--json")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(unable)?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let read = async {
        let (mut said, mut complained) = (Vec::new(), Vec::new());
        let both = tokio::join!(
            async {
                match out {
                    Some(out) => out.take(OUTPUT).read_to_end(&mut said).await,
                    None => Ok(0),
                }
            },
            async {
                match err {
                    Some(err) => err.take(OUTPUT).read_to_end(&mut complained).await,
                    None => Ok(0),
                }
            }
        );
        both.0.and(both.1).map_err(unable)?;
        Ok::<_, String>((said, complained))
    };
    let (said, complained) = tokio::time::timeout(RUN, read)
        .await
        .map_err(|_| format!("tana-runtime did not end within {} s", RUN.as_secs()))??;
    // The last line: a script may print before.
    let said = String::from_utf8_lossy(&said);
    let last = said.lines().rev().find(|line| !line.trim().is_empty());
    match last.map(serde_json::from_str) {
        Some(Ok(answer)) => Ok(answer),
        _ => {
            let why = String::from_utf8_lossy(&complained);
            let why = why.lines().rev().find(|line| !line.trim().is_empty());
            Err(clean(why.unwrap_or("tana-runtime gave no answer")))
        }
    }
}

pub(super) async fn deploy(
    ledger: LedgerClient,
    settings: Arc<Settings>,
    draft: Draft,
    author: Author,
    outbox: Outbox,
) {
    let name = clean(&draft.name);
    let what = format!("deploying {name}");
    let news = outbox.clone();
    let work = async {
        compiles(&draft.source).await?;
        let said = |error: anyhow::Error| format!("{error:#}");
        let deployment = draft.deployment().map_err(said)?;
        let sender = match author {
            Author::Sovereign(passphrase) => {
                submit::sovereign(&settings, &ledger, passphrase).await
            }
            Author::User(user) => submit::sender(&settings, &ledger, &user).await,
        }
        .map_err(said)?;
        let sent = draft::deploy(&settings, &ledger, &sender, &deployment).await;
        let (_, submitted) = sent.map_err(said)?;
        let view = confirmed(&ledger, &submitted.id, CONFIRM)
            .await
            .map_err(said)?;
        submit::must_be_confirmed(&view, &format!("contract {name}")).map_err(said)?;
        news.send(Msg::Draft(DraftNews::Deployed));
        let gas = view.receipt.as_ref().map_or(0, |receipt| receipt.gas_used);
        Ok(format!(
            "{name} is deployed{}, gas {}",
            submit::in_block(&view),
            count(gas)
        ))
    };
    outbox.around(what, work).await;
}

/// A mistake is said before anything is sent. Where no engine is installed the chain's own says it.
async fn compiles(source: &str) -> Result<(), String> {
    if launch::program("tana-runtime").is_err() {
        return Ok(());
    }
    #[derive(Deserialize)]
    struct Checked {
        #[serde(default)]
        error: Option<Failure>,
    }
    let sheet = Sheet::of(source).map_err(|error| format!("it cannot be checked: {error}"))?;
    let checked: Checked = tool("check", &sheet, &[]).await?;
    match checked.error {
        None => Ok(()),
        Some(error) => Err(format!("nothing was sent: {error}")),
    }
}
