//! Makes the first chain of a home: by this very program's commands, one after the other, as one would type them.

use std::ffi::OsStr;
use std::process::Stdio;
use std::sync::Arc;

use tana_home::{Settings, StoredKey};
use tana_protocol::service::NodeRole;
use tokio::io::AsyncWriteExt as _;

use super::Outbox;
use crate::features::first::model::Fresh;
use crate::msg::{FirstNews, Msg};
use crate::sign::Passphrase;

/// What is to be made.
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) role: NodeRole,
    pub(super) offset: u16,
    pub(super) passphrase: Option<Passphrase>,
}

pub(super) async fn make(settings: Arc<Settings>, wanted: Wanted, outbox: Outbox) {
    let tell = |news| outbox.send(Msg::First(news));
    if let Err(why) = steps(&settings, wanted, &tell).await {
        tell(FirstNews::Failed(why));
    }
}

async fn steps(
    settings: &Settings,
    wanted: Wanted,
    tell: &impl Fn(FirstNews),
) -> Result<(), String> {
    // Made already when an earlier try ended later: the command says so and changes nothing.
    // The key is sealed as it is made: whoever leaves in the middle leaves no open key behind.
    let mut make = vec!["new", "chain", &wanted.name];
    if wanted.passphrase.is_some() {
        make.push("--seal");
    }
    own(settings, &make, wanted.passphrase.as_ref()).await?;
    tell(FirstNews::Made(Box::new(fresh(settings)?)));
    if wanted.passphrase.is_some() {
        tell(FirstNews::Sealed);
    }
    let offset = wanted.offset.to_string();
    let start = [
        "start",
        "--role",
        wanted.role.name(),
        "--port-offset",
        &offset,
    ];
    own(settings, &start, None).await?;
    tell(FirstNews::Started);
    Ok(())
}

fn fresh(settings: &Settings) -> Result<Fresh, String> {
    let home = &settings.home;
    let chain = settings.chain().map_err(|error| error.to_string())?;
    let key = StoredKey::find(&home.sovereign_key_file()).map_err(|error| error.to_string())?;
    Ok(Fresh {
        chain: chain.name,
        sovereign: key.as_ref().map(StoredKey::public_key),
        sealed: matches!(key, Some(StoredKey::Sealed(_))),
        users: home.users().unwrap_or_default(),
    })
}

/// Runs a command of this program to its end; says what it said when it failed. A secret goes to its standard input.
pub(super) async fn own(
    settings: &Settings,
    arguments: &[impl AsRef<OsStr>],
    secret: Option<&Passphrase>,
) -> Result<(), String> {
    let program =
        std::env::current_exe().map_err(|e| format!("this program cannot be found again: {e}"))?;
    let first = arguments.first().map(AsRef::as_ref).unwrap_or_default();
    let name = format!("tana {}", first.display());
    let unable = |error: std::io::Error| format!("{name}: {error}");
    let mut command = tokio::process::Command::new(program);
    command.args(arguments);
    // The XDG directories are found without being named.
    if let Some(root) = settings.home.single_root() {
        command.arg("--home").arg(root);
    }
    let input = if secret.is_some() {
        Stdio::piped()
    } else {
        Stdio::null()
    };
    let mut child = command
        .stdin(input)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // Its own group: Ctrl-C and a lost terminal are the console's alone.
        .process_group(0)
        .spawn()
        .map_err(unable)?;
    if let (Some(mut input), Some(secret)) = (child.stdin.take(), secret) {
        input.write_all(secret.0.as_bytes()).await.map_err(unable)?;
        input.write_all(b"\n").await.map_err(unable)?;
    }
    let ended = child.wait_with_output().await.map_err(unable)?;
    if ended.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ended.stderr);
    let why = said
        .lines()
        .rev()
        .map(str::trim)
        .find(|l| !l.is_empty())
        .unwrap_or("it ended with an error");
    Err(crate::show::clean(why))
}
