//! Asks for a passphrase: on a terminal without showing it, else the first line of standard input.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use tana_client::LedgerClient;

use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::context::Context;
use super::exit::{Exit, failure};
use super::submit::{self, Sender};
use crate::agent::Agent;
use crate::sign::{Passphrase, Signer, With};
use tana_home::{Home, StoredKey};

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

/// The passphrase of this home's sovereign key, asked for where it is sealed.
pub(super) fn of_home(home: &Home) -> anyhow::Result<Option<Passphrase>> {
    let path = home.sovereign_key_file();
    match StoredKey::find(&path)? {
        Some(StoredKey::Sealed(_)) => Ok(Some(ask(&format!("passphrase of {}", path.display()))?)),
        _ => Ok(None),
    }
}

/// A user of this home as the chain knows it. The sovereign has no user file while its key is sealed: then the key file signs.
pub(super) async fn sender(
    context: &Context,
    ledger: &LedgerClient,
    name: &str,
) -> anyhow::Result<Sender> {
    let (settings, home) = (&context.settings, context.home());
    let named = submit::username(name)?;
    let sovereign = settings
        .chain()
        .is_ok_and(|chain| chain.sovereigns.iter().any(|s| s.username == named));
    if sovereign && !home.user_file(named.bare()).exists() {
        return submit::sovereign(settings, ledger, of_home(home)?).await;
    }
    submit::sender(settings, ledger, name).await
}

/// The sovereign's signer: a key of the ssh-agent where one is asked for, else the home's key file.
pub(super) async fn signer(context: &Context, agent: Option<&str>) -> anyhow::Result<Signer> {
    let with = match agent {
        Some(wanted) => With::Agent(agent_key(context, wanted).await?),
        None => With::File(of_home(context.home())?),
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
