//! Asks for a passphrase: on a terminal without showing it, else the first line of standard input.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use tana_client::LedgerClient;

use nix::sys::termios::{
    LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr,
};
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
    let line = if stdin.is_terminal() {
        let mut err = io::stderr().lock();
        write!(err, "{prompt}: ")?;
        err.flush()?;
        let quiet = Quiet::begin()?;
        let typed = typed(&mut stdin.lock());
        drop(quiet);
        // The line end was not echoed either.
        writeln!(err)?;
        typed?
    } else {
        let mut line = Zeroizing::new(String::with_capacity(LONGEST.into()));
        io::Read::take(stdin.lock(), LONGEST.into()).read_line(&mut line)?;
        line
    };
    let text = line.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(failure(
            Exit::Misuse,
            "no passphrase was given; type it, or write it to standard input",
        ));
    }
    Ok(Passphrase(Zeroizing::new(text.to_owned())))
}

/// Asks for one that is to be. What is typed unseen is typed twice; what a script writes is meant.
pub(super) fn new() -> anyhow::Result<Passphrase> {
    let passphrase = ask("new passphrase")?;
    if io::stdin().is_terminal() && ask("the same again")? != passphrase {
        return Err(failure(
            Exit::Misuse,
            "the two passphrases differ; nothing was changed",
        ));
    }
    Ok(passphrase)
}

/// A terminal that shows nothing of what is typed and sends no signals for it, so that nothing ends this program with the
/// terminal left so. As it was before, once dropped.
struct Quiet(Termios);

impl Quiet {
    fn begin() -> nix::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet
            .local_flags
            .remove(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG);
        quiet.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
        quiet.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
        tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &quiet)?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing back.
        let _gone = tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &self.0);
    }
}

/// Reads what is typed up to Enter, with the keys that take back. Ctrl-C gives up.
fn typed(input: &mut impl io::Read) -> anyhow::Result<Zeroizing<String>> {
    const END: [u8; 3] = [b'\n', b'\r', 0x04];
    const ALL: u8 = 0x15;
    const GIVE_UP: [u8; 3] = [0x03, 0x1a, 0x1c];
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST.into()));
    let mut byte = Zeroizing::new([0_u8; 1]);
    loop {
        match input.read(&mut *byte) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        }
        match byte[0] {
            end if END.contains(&end) => break,
            stop if GIVE_UP.contains(&stop) => {
                return Err(failure(Exit::Misuse, "given up; nothing was changed"));
            }
            0x7f | 0x08 => {
                // A character may have several bytes; those after its first begin with the bits 10.
                while bytes.pop().is_some_and(|last| last & 0xc0 == 0x80) {}
            }
            ALL => bytes.clear(),
            other if bytes.len() < LONGEST.into() => bytes.push(other),
            _ => {}
        }
    }
    let text = std::str::from_utf8(&bytes);
    let text = text.map_err(|_| failure(Exit::Misuse, "the passphrase is not UTF-8"))?;
    Ok(Zeroizing::new(text.to_owned()))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::typed;

    #[test]
    fn what_is_typed_unseen_can_be_taken_back_and_given_up() {
        let read = |keys: &[u8]| typed(&mut &keys[..]).map(|text| text.to_string());
        assert_eq!(read(b"open\r").unwrap(), "open");
        assert_eq!(read(b"oh\x7fpen\nmore").unwrap(), "open");
        assert_eq!(read("né\u{7f}o\r".as_bytes()).unwrap(), "no");
        assert_eq!(read(b"wrong\x15right\r").unwrap(), "right");
        assert!(read(b"half\x03").is_err());
        assert!(read(b"\xff\r").is_err());
    }
}
