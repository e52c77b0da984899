//! A contract as its author has it, on disk or in the console's editor: read, made, compiled, deployed. The command line
//! and the console do it here, so that they do the same.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::json;
use tana_client::LedgerClient;
use tana_home::{Settings, write_json};
use tana_protocol::api::ledger::Submitted;
use tana_protocol::contract::{Deployment, MAX_SOURCE_BYTES};
use tana_protocol::{ContractId, Hash32, Party, TransactionType};

use crate::cli::Exit;
use crate::cli::exit::failure;
use crate::cli::new;
use crate::cli::submit::{self, Sender};
use crate::show::clean;

/// What a new contract begins as: it counts how often it was called, and says so over HTTP.
pub(crate) const TEMPLATE: &str = include_str!("cli/new/contract.ts");

/// A contract that is not deployed, or not yet.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Draft {
    /// What it is to be called by.
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    pub(crate) description: Option<String>,
    /// Where its source lies; nowhere when it was only typed.
    pub(crate) file: Option<PathBuf>,
    pub(crate) source: String,
}

/// `contract.json`. What it says besides is the author's.
#[derive(Debug, Default, Deserialize)]
struct About {
    name: Option<String>,
    version: Option<String>,
    description: Option<String>,
}

impl Draft {
    /// Reads a contract's directory, or one TypeScript file, which then gives it its name.
    ///
    /// # Errors
    /// When a file cannot be read, is too large, or is not what it should be.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let whole = path.is_dir();
        let file = if whole {
            path.join("contract.ts")
        } else {
            path.to_owned()
        };
        let about = if whole {
            about(&path.join("contract.json"))?
        } else {
            About::default()
        };
        let own = if whole {
            path.file_name()
        } else {
            path.file_stem()
        };
        let own = own.map(|own| own.to_string_lossy().to_ascii_lowercase());
        Ok(Self {
            name: about.name.or(own).unwrap_or_default(),
            version: about.version,
            description: about.description,
            source: read(&file)?,
            file: Some(file),
        })
    }

    /// Makes the directory `name` with a contract to begin from.
    ///
    /// # Errors
    /// When the name is none, the directory is there already, or it cannot be written.
    pub(crate) fn make(name: &str) -> anyhow::Result<Self> {
        let name = new::file_name("contract", name)?;
        let directory = PathBuf::from(name);
        if directory.exists() {
            return Err(failure(
                Exit::Failed,
                format!("{name}/ exists already; nothing was changed; choose another name"),
            ));
        }
        std::fs::create_dir(&directory)?;
        let file = directory.join("contract.ts");
        std::fs::write(&file, TEMPLATE)?;
        let about = json!({"name": name, "version": "0.1.0", "description": ""});
        write_json(&directory.join("contract.json"), &about)?;
        Self::read(&directory)
    }

    /// What is sent when it is deployed.
    ///
    /// # Errors
    /// When its name is none that a contract may have.
    pub(crate) fn deployment(&self) -> anyhow::Result<Deployment> {
        let name = self.name.parse().map_err(|error| {
            failure(
                Exit::Misuse,
                format!("{:?}: {error}; name it: --name NAME", clean(&self.name)),
            )
        })?;
        Ok(Deployment {
            name,
            code_hash: Hash32::of(self.source.as_bytes()),
            source_code: self.source.clone(),
            version: self.version.clone(),
            description: self.description.clone(),
            metadata: None,
        })
    }
}

fn about(file: &Path) -> anyhow::Result<About> {
    if !file.is_file() {
        return Ok(About::default());
    }
    serde_json::from_str(&read(file)?).with_context(|| {
        format!(
            "{} must be an object with the texts name, version, description",
            file.display()
        )
    })
}

fn read(path: &Path) -> anyhow::Result<String> {
    let size = std::fs::metadata(path)
        .with_context(|| format!("cannot read {}", path.display()))?
        .len();
    if size > MAX_SOURCE_BYTES as u64 {
        return Err(failure(
            Exit::Misuse,
            format!(
                "{} has {size} bytes; a contract may have {MAX_SOURCE_BYTES}: split it up",
                path.display()
            ),
        ));
    }
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// A source in a file of its own that only this user may read, for a program that reads files; gone with the value.
pub(crate) struct Sheet {
    directory: tempfile::TempDir,
}

impl Sheet {
    /// Writes it.
    ///
    /// # Errors
    /// When the directory for such files cannot be written.
    pub(crate) fn of(source: &str) -> std::io::Result<Self> {
        // The directory is the owner's alone, and so is what lies in it.
        let sheet = Self {
            directory: tempfile::Builder::new().prefix("tana-").tempdir()?,
        };
        std::fs::write(sheet.path(), source)?;
        Ok(sheet)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("contract.ts")
    }
}

/// Signs a deployment and hands it in. Answers the contract's id and where the deployment stands.
///
/// # Errors
/// When it is refused, or the ledger does not answer.
pub(crate) async fn deploy(
    settings: &Settings,
    ledger: &LedgerClient,
    sender: &Sender,
    deployment: &Deployment,
) -> anyhow::Result<(ContractId, Submitted)> {
    let what = format!("contract {}", deployment.name);
    let input = serde_json::to_value(deployment)?;
    let signed = submit::sign_with(
        settings,
        ledger,
        sender,
        TransactionType::ContractDeployment,
        Party::system(),
        |transaction| transaction.contract_input = Some(input),
    )
    .await?;
    let submitted = ledger
        .submit(&signed)
        .await
        .map_err(|error| submit::refused(error, &what))?;
    Ok((ContractId::created_by(&submitted.id), submitted))
}
