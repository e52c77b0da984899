//! Keys that an ssh-agent holds: which Ed25519 keys there are, and a signature by one of them.
//!
//! The protocol is draft-ietf-sshm-ssh-agent, two requests of it. The agent signs bytes as they are; what the network signs is the
//! SHA-256 digest of a message, so the digest is what the agent gets, and the signature is the same as a key file's.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tana_home::Environment;
use tana_protocol::{Hash32, PublicKey, Signature};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES: u8 = 12;
const REQUEST_SIGNATURE: u8 = 13;
const SIGNATURE: u8 = 14;
const KIND: &[u8] = b"ssh-ed25519";
/// OpenSSH's own limit of an answer.
const LONGEST: u32 = 256 * 1024;
/// An agent that holds keys answers at once.
const LIST: Duration = Duration::from_secs(3);
/// One that asks its owner, or a token that must be touched, takes its time.
const SIGN: Duration = Duration::from_secs(120);

/// Where an agent listens.
#[derive(Debug, Clone)]
pub(crate) struct Agent(PathBuf);

/// A key of the agent.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct AgentKey {
    pub(crate) key: PublicKey,
    /// What its owner calls it.
    pub(crate) comment: String,
}

/// Why the agent did not help.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AgentError {
    #[error("no ssh-agent answers at SSH_AUTH_SOCK")]
    Io(#[from] io::Error),
    #[error("the ssh-agent did not answer in time")]
    Slow,
    #[error("the ssh-agent refused; is the key still in it? ssh-add -l lists them")]
    Refused,
    #[error("the ssh-agent's answer is none of its protocol")]
    Form,
    #[error("the ssh-agent's signature does not fit the key; nothing was sent")]
    Signature,
}

impl Agent {
    /// The one that the environment names.
    pub(crate) fn of(environment: &Environment) -> Option<Self> {
        let path = environment.get("SSH_AUTH_SOCK")?;
        (!path.is_empty()).then(|| Self(path.into()))
    }

    /// Its Ed25519 keys; it may hold others, which are passed over.
    pub(crate) async fn keys(&self) -> Result<Vec<AgentKey>, AgentError> {
        let answer = self.ask(&[REQUEST_IDENTITIES], LIST).await?;
        let mut rest = expect(&answer, IDENTITIES)?;
        let count = number(&mut rest)?;
        let mut keys = Vec::new();
        for _ in 0..count {
            let (blob, comment) = (text(&mut rest)?, text(&mut rest)?);
            if let Some(key) = of_blob(blob) {
                keys.push(AgentKey {
                    key,
                    comment: String::from_utf8_lossy(comment).into_owned(),
                });
            }
        }
        Ok(keys)
    }

    /// Has the digest of a message signed, and checks the signature.
    pub(crate) async fn sign(
        &self,
        key: &PublicKey,
        message: &str,
    ) -> Result<Signature, AgentError> {
        let mut blob = Vec::new();
        put(&mut blob, KIND);
        put(&mut blob, &key.to_bytes());
        let mut request = vec![REQUEST_SIGNATURE];
        put(&mut request, &blob);
        put(&mut request, &Hash32::of(message.as_bytes()).0);
        // No flags: they are RSA's.
        request.extend_from_slice(&[0; 4]);
        let answer = self.ask(&request, SIGN).await?;
        let mut rest = expect(&answer, SIGNATURE)?;
        let mut blob = text(&mut rest)?;
        if text(&mut blob)? != KIND {
            return Err(AgentError::Form);
        }
        let bytes: [u8; 64] = text(&mut blob)?.try_into().map_err(|_| AgentError::Form)?;
        let signature = Signature::from_bytes(bytes);
        key.verify(message, &signature)
            .map_err(|_| AgentError::Signature)?;
        Ok(signature)
    }

    async fn ask(&self, request: &[u8], limit: Duration) -> Result<Vec<u8>, AgentError> {
        let exchange = async {
            let mut socket = UnixStream::connect(&self.0).await?;
            let mut framed = Vec::with_capacity(request.len() + 4);
            put(&mut framed, request);
            socket.write_all(&framed).await?;
            let length = socket.read_u32().await?;
            if length == 0 || length > LONGEST {
                return Err(AgentError::Form);
            }
            let mut answer = vec![0; usize::try_from(length).map_err(|_| AgentError::Form)?];
            socket.read_exact(&mut answer).await?;
            Ok(answer)
        };
        tokio::time::timeout(limit, exchange)
            .await
            .unwrap_or(Err(AgentError::Slow))
    }
}

/// A key as OpenSSH writes it, `ssh-ed25519 AAAA… comment`.
pub(crate) fn of_openssh(line: &str) -> Option<PublicKey> {
    let mut words = line.split_whitespace();
    (words.next()?.as_bytes() == KIND).then_some(())?;
    of_blob(&STANDARD.decode(words.next()?).ok()?)
}

fn of_blob(mut blob: &[u8]) -> Option<PublicKey> {
    let kind = text(&mut blob).ok()?;
    let bytes: &[u8; 32] = text(&mut blob).ok()?.try_into().ok()?;
    (kind == KIND && blob.is_empty()).then_some(())?;
    PublicKey::from_bytes(bytes).ok()
}

fn expect(answer: &[u8], kind: u8) -> Result<&[u8], AgentError> {
    match answer.split_first() {
        Some((got, rest)) if *got == kind => Ok(rest),
        Some((got, _)) if *got == FAILURE => Err(AgentError::Refused),
        _ => Err(AgentError::Form),
    }
}

fn number(rest: &mut &[u8]) -> Result<u32, AgentError> {
    let (head, tail) = rest.split_first_chunk::<4>().ok_or(AgentError::Form)?;
    *rest = tail;
    Ok(u32::from_be_bytes(*head))
}

/// A string: its length and its bytes.
fn text<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], AgentError> {
    let length = usize::try_from(number(rest)?).map_err(|_| AgentError::Form)?;
    let (head, tail) = rest.split_at_checked(length).ok_or(AgentError::Form)?;
    *rest = tail;
    Ok(head)
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn openssh_keys_are_read_and_bytes_that_are_none_are_not() {
        // The public half that `ssh-keygen -t ed25519` wrote, and the key in it.
        let line =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICsRZp3RyHUgfMljAqhGm/hSMCZJ08OAwCupMTxt5ktp t@x";
        let key = "2b11669dd1c875207cc96302a8469bf852302649d3c380c02ba9313c6de64b69";
        assert_eq!(of_openssh(line), Some(key.parse().unwrap()));
        let blob = STANDARD.decode(line.split(' ').nth(1).unwrap()).unwrap();
        for bad in [
            "",
            "ssh-ed25519",
            "ssh-rsa AAAA",
            "ssh-ed25519 AAAA",
            "ssh-ed25519 ~~~",
        ] {
            assert_eq!(of_openssh(bad), None, "{bad}");
        }
        for end in 0..blob.len() {
            assert_eq!(of_blob(&blob[..end]), None);
        }
    }
}
