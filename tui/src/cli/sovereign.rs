//! `tana sovereign add|rotate|list`: the keys that admit nodes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use tana_home::{KeyFile, SealedKey, StoredKey, UserFile};
use tana_protocol::PublicKey;

use super::context::Context;
use super::exit::{Exit, failure};
use super::mesh::digits;
use super::output::{Side, Table};
use super::passphrase;
use super::status::clock;
use crate::agent;
use crate::show::clean;

#[derive(Debug, Subcommand)]
pub(crate) enum Sovereign {
    /// Add another sovereign's public key
    Add(Add),
    /// Replace this home's sovereign key by a new one
    Rotate,
    /// Put this home's sovereign key under a passphrase
    Seal,
    /// Take the passphrase off it again
    Unseal,
    /// The keys that are valid now
    List,
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The public key: ed25519_ and 64 hex digits, or a line of an OpenSSH public key file
    key: String,
    /// Whose it is
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

impl Sovereign {
    pub(crate) async fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        match self {
            Self::Add(add) => add.execute(context).await,
            Self::Rotate => rotate(context).await,
            Self::Seal => seal(context),
            Self::Unseal => unseal(context),
            Self::List => list(context).await,
        }
    }
}

impl Add {
    async fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        let key: PublicKey = match agent::of_openssh(&self.key) {
            Some(key) => key,
            None => self.key.parse().map_err(|error| {
                failure(Exit::Misuse, format!("{:?}: {error}", clean(&self.key)))
            })?,
        };
        let own = own(context)?;
        let added = context
            .mesh()?
            .add_sovereign(key, self.description, &own.secret_key)
            .await?;
        context
            .out
            .show(&added, || format!("added\nkey  {}\n", key.fingerprint()))?;
        context.out.hint("all of them: tana sovereign list")?;
        Ok(Exit::Done)
    }
}

/// The home's own key, opened where it is sealed.
fn own(context: &Context) -> anyhow::Result<KeyFile> {
    let path = context.home().sovereign_key_file();
    match StoredKey::find(&path)? {
        Some(StoredKey::Sealed(sealed)) => {
            let passphrase = passphrase::ask(&format!("passphrase of {}", path.display()))?;
            Ok(sealed.open(&passphrase.0)?)
        }
        _ => Ok(KeyFile::read(&path)?),
    }
}

fn seal(context: &Context) -> anyhow::Result<Exit> {
    let path = context.home().sovereign_key_file();
    let key = KeyFile::read(&path)?;
    let passphrase = passphrase::new()?;
    let sealed = SealedKey::seal(&key.secret_key, &passphrase.0)?;
    StoredKey::Sealed(sealed).replace(&path)?;
    let copies = delete_open_copies(context, &key.public_key)?;
    said(context, &path, "sealed", &key.public_key)?;
    for copy in copies {
        context.out.hint(&format!(
            "{} was the same key without a passphrase and is deleted; commands ask for the passphrase instead",
            copy.display()
        ))?;
    }
    context
        .out
        .hint("without the passphrase the key is lost; keep a copy of the file, and of the passphrase elsewhere")?;
    Ok(Exit::Done)
}

/// Deletes the user files of this home that hold the same key, and names them: the sovereign is a user of its chain too. Open,
/// they would make the passphrase worth nothing.
pub(super) fn delete_open_copies(
    context: &Context,
    key: &PublicKey,
) -> anyhow::Result<Vec<PathBuf>> {
    let home = context.home();
    let mut copies = Vec::new();
    for name in home.users()? {
        let file = home.user_file(&name);
        if UserFile::find(&file)?.is_some_and(|user| user.public_key == *key) {
            fs::remove_file(&file).with_context(|| {
                format!(
                    "{} is an open copy of the key, and cannot be deleted",
                    file.display()
                )
            })?;
            copies.push(file);
        }
    }
    Ok(copies)
}

fn unseal(context: &Context) -> anyhow::Result<Exit> {
    let path = context.home().sovereign_key_file();
    let key = own(context)?;
    let public = key.public_key;
    StoredKey::Open(key).replace(&path)?;
    said(context, &path, "open", &public)?;
    Ok(Exit::Done)
}

fn said(context: &Context, path: &Path, state: &str, key: &PublicKey) -> anyhow::Result<()> {
    let value = serde_json::json!({"file": path, "state": state, "publicKey": key});
    context.out.show(&value, || {
        format!(
            "{} is {state}\nkey  {}\n",
            path.display(),
            key.fingerprint()
        )
    })?;
    Ok(())
}

async fn rotate(context: &Context) -> anyhow::Result<Exit> {
    let path = context.home().sovereign_key_file();
    let passphrase = passphrase::of_home(context.home())?;
    let opened = |stored: StoredKey| -> anyhow::Result<KeyFile> {
        Ok(match (stored, &passphrase) {
            (StoredKey::Sealed(sealed), Some(passphrase)) => sealed.open(&passphrase.0)?,
            (StoredKey::Open(key), _) => key,
            (StoredKey::Sealed(sealed), None) => sealed.open(&passphrase::ask("passphrase")?.0)?,
        })
    };
    let old = match StoredKey::find(&path)? {
        Some(stored) => opened(stored)?,
        None => KeyFile::read(&path)?,
    };
    // On disk before the mesh hears of it: a key that the mesh has taken can never be lost with this process. Under the
    // passphrase that the old one is under.
    let next = path.with_file_name("sovereign-key.next.json");
    let new = match StoredKey::find(&next)? {
        Some(stored) => opened(stored)?,
        None => {
            let new = KeyFile::generate();
            let stored = match &passphrase {
                Some(passphrase) => {
                    StoredKey::Sealed(SealedKey::seal(&new.secret_key, &passphrase.0)?)
                }
                None => StoredKey::Open(new.clone()),
            };
            stored.create(&next)?;
            new
        }
    };
    let rotated = context
        .mesh()?
        .rotate_sovereign(&old.secret_key, &new.secret_key)
        .await
        .with_context(|| {
            format!(
                "the key was not replaced; the new one waits in {} for another try",
                next.display()
            )
        })?;
    let kept = kept_name(&path, &old.public_key);
    fs::rename(&path, &kept)
        .and_then(|()| fs::rename(&next, &path))
        .with_context(|| {
            format!(
                "the mesh has the new key, which is in {}; move it to {} by hand",
                next.display(),
                path.display()
            )
        })?;
    context.out.show(&rotated, || {
        format!(
            "the sovereign key was replaced\nnew  {}\nold  {}  valid until {}\n",
            new.public_key.fingerprint(),
            old.public_key.fingerprint(),
            clock().full(rotated.overlap_until)
        )
    })?;
    context.out.hint(&format!(
        "the old key is in {}; the chain's sovereign user still signs with it",
        kept.display()
    ))?;
    Ok(Exit::Done)
}

fn kept_name(path: &std::path::Path, key: &PublicKey) -> PathBuf {
    path.with_file_name(format!("sovereign-key.{}.json", digits(key)))
}

async fn list(context: &Context) -> anyhow::Result<Exit> {
    let keys = context.mesh()?.sovereigns().await?.keys;
    let clock = clock();
    context.out.show(&keys, || {
        let mut table = Table::new(&[
            ("since", Side::Left),
            ("key", Side::Left),
            ("whose", Side::Left),
        ]);
        for key in &keys {
            table.row([
                clock.time(key.added_at),
                key.public_key.fingerprint(),
                key.description.clone().unwrap_or_default(),
            ]);
        }
        table.text(context.out)
    })?;
    Ok(Exit::Done)
}
