//! Asks for a passphrase: on a terminal without showing it, else the first line of standard input.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::context::Context;
use super::exit::{Exit, failure};
use crate::agent::Agent;
use crate::sign::{Passphrase, Signer, With};
use tana_home::StoredKey;

/// Longer lines are no passphrase.
const LONGEST: u16 = 1024;

/// Asks once.
pub(super) fn ask(prompt: &str) -> anyhow::Result<Passphrase> {
    let stdin = io::stdin();
    let terminal = stdin.is_terminal();
    let before = if terminal {
        let mut err = io::stderr().lock();
        write!(err, "{prompt}: ")?;
        err.flush()?;
        let before = tcgetattr(&stdin)?;
        let mut quiet = before.clone();
        quiet.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(&stdin, SetArg::TCSAFLUSH, &quiet)?;
        Some(before)
    } else {
        None
    };
    let mut line = Zeroizing::new(String::with_capacity(LONGEST.into()));
    let read = io::Read::take(stdin.lock(), LONGEST.into()).read_line(&mut line);
    if let Some(before) = before {
        tcsetattr(&stdin, SetArg::TCSAFLUSH, &before)?;
        // The line end was not echoed either.
        writeln!(io::stderr())?;
    }
    read?;
    let text = line.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(failure(
            Exit::Misuse,
            "no passphrase was given; type it, or write it to standard input",
        ));
    }
    Ok(Passphrase(Zeroizing::new(text.to_owned())))
}

/// The sovereign's signer: a key of the ssh-agent where one is asked for, else the home's key file.
pub(super) async fn signer(context: &Context, agent: Option<&str>) -> anyhow::Result<Signer> {
    let with = match agent {
        Some(wanted) => With::Agent(agent_key(context, wanted).await?),
        None => {
            let path = context.home().sovereign_key_file();
            match StoredKey::find(&path)? {
                Some(StoredKey::Sealed(_)) => {
                    With::File(Some(ask(&format!("passphrase of {}", path.display()))?))
                }
                _ => With::File(None),
            }
        }
    };
    Ok(Signer::ready(&with, context.home(), &context.environment)?)
}

/// The agent's key that `wanted` names by comment or fingerprint; without a name the only one that is a sovereign's.
async fn agent_key(context: &Context, wanted: &str) -> anyhow::Result<tana_protocol::PublicKey> {
    let agent = Agent::of(&context.environment).ok_or_else(|| {
        failure(
            Exit::Misuse,
            "no ssh-agent: SSH_AUTH_SOCK is not set; start one and add the key with ssh-add",
        )
    })?;
    let sovereigns = context.mesh()?.sovereigns().await?.keys;
    let plain: String = wanted.split_whitespace().collect();
    let keys: Vec<_> = agent
        .keys()
        .await?
        .into_iter()
        .filter(|k| sovereigns.iter().any(|s| s.public_key == k.key))
        .filter(|k| {
            let fingerprint: String = k.key.fingerprint().split(' ').collect();
            wanted.is_empty() || k.comment == wanted || fingerprint.starts_with(&plain)
        })
        .collect();
    match keys.as_slice() {
        [one] => Ok(one.key),
        [] => Err(failure(
            Exit::Failed,
            "the ssh-agent holds no such sovereign key; add its public half: tana sovereign add \"$(cat key.pub)\"",
        )),
        several => Err(failure(
            Exit::Misuse,
            format!(
                "the ssh-agent holds {} sovereign keys; name one: {}",
                several.len(),
                several
                    .iter()
                    .map(|k| format!("{} ({})", crate::show::clean(&k.comment), k.key.short()))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        )),
    }
}
