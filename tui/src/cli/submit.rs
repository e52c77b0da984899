//! Making, signing and submitting a transaction, and saying what became of it.

use std::fmt::Display;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Serialize;
use tana_client::{ClientError, LedgerClient, now};
use tana_home::{KeyFile, SealError, SealedKey, Settings, StoredKey, UserFile};
use tana_protocol::api::ledger::{Submitted, TransactionStatus, TransactionView, UserView};
use tana_protocol::{
    Code, Party, SecretKey, SignedTransaction, Transaction, TransactionType, Username,
};

use super::context::Context;
use super::exit::{Exit, failure, is_open};
use super::wait::{Wait, confirmed};
use crate::show::clean;
use crate::sign::Passphrase;

/// Who signs: a user of the chain whose key is here.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) user: UserView,
    key: SecretKey,
}

/// What is asked of the chain, without what every transaction has.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) kind: TransactionType,
    pub(crate) to: Party,
    pub(crate) amount: tana_protocol::amount::AmountText,
    pub(crate) currency: tana_protocol::CurrencyCode,
    /// The sender's next one where absent.
    pub(crate) nonce: Option<u64>,
}

fn is_missing(error: &ClientError) -> bool {
    error.code() == Some(Code::NotFound)
}

/// The chain's id, for signing: this home's, which the ledger must agree with; a remote ledger's where this home has no
/// chain.
pub(crate) async fn chain_id(settings: &Settings, ledger: &LedgerClient) -> anyhow::Result<String> {
    let info = ledger.info().await?;
    let Ok(chain) = settings.chain() else {
        return Ok(info.chain_id);
    };
    if chain.chain_id == info.chain_id {
        return Ok(info.chain_id);
    }
    Err(failure(
        Exit::Misuse,
        format!(
            "the ledger at {} serves the chain {}, this home's is {}; nothing was signed; check TANA_LEDGER_URL and --home",
            ledger.base(),
            info.chain_id,
            chain.chain_id
        ),
    ))
}

/// A name as a person reads it: the home's spelling, without `@`.
pub(crate) fn username(text: &str) -> anyhow::Result<Username> {
    text.parse().map_err(|error| {
        failure(
            Exit::Misuse,
            format!("{:?} is no username: {error}", clean(text)),
        )
    })
}

/// A user of this home, as the chain knows it.
pub(crate) async fn sender(
    settings: &Settings,
    ledger: &LedgerClient,
    name: &str,
) -> anyhow::Result<Sender> {
    let name = username(name)?;
    let file = UserFile::read(&settings.home.user_file(name.bare()))?;
    let user = match ledger.user_with_key(&file.public_key).await {
        Ok(user) => user,
        Err(error) if is_missing(&error) => {
            return Err(failure(
                Exit::Refused,
                format!(
                    "{} is not on the chain yet; first: tana deploy user {} --wait",
                    name.bare(),
                    name.bare()
                ),
            ));
        }
        Err(error) => return Err(error.into()),
    };
    Ok(Sender {
        user,
        key: file.secret_key,
    })
}

/// The sovereign of this home, as the chain knows it; with the passphrase where its key is sealed.
pub(crate) async fn sovereign(
    settings: &Settings,
    ledger: &LedgerClient,
    passphrase: Option<Passphrase>,
) -> anyhow::Result<Sender> {
    let home = &settings.home;
    let path = home.sovereign_key_file();
    let key = match (StoredKey::find(&path)?, &passphrase) {
        (Some(StoredKey::Sealed(sealed)), Some(passphrase)) => {
            let opened = open(sealed, passphrase.clone()).await?;
            opened.with_context(|| path.display().to_string())?
        }
        _ => KeyFile::read(&path)?,
    };
    let mut keys = vec![key.secret_key];
    // After a rotation the mesh has another key than the chain: the user's own file still holds the chain's.
    if let Ok(chain) = settings.chain() {
        for sovereign in &chain.sovereigns {
            let path = home.user_file(sovereign.username.bare());
            keys.extend(UserFile::find(&path)?.map(|user| user.secret_key));
        }
    }
    for key in keys {
        match ledger.user_with_key(&key.public()).await {
            Ok(user) => return Ok(Sender { user, key }),
            Err(error) if is_missing(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // Or the key from before the rotation does, which was kept beside the new one.
    for path in home.replaced_sovereign_keys()? {
        let Some(stored) = StoredKey::find(&path)? else {
            continue;
        };
        let user = match ledger.user_with_key(&stored.public_key()).await {
            Ok(user) => user,
            Err(error) if is_missing(&error) => continue,
            Err(error) => return Err(error.into()),
        };
        let key = match (stored, &passphrase) {
            (StoredKey::Open(key), _) => key,
            (StoredKey::Sealed(sealed), Some(passphrase)) => {
                let opened = open(sealed, passphrase.clone()).await?;
                opened.with_context(|| path.display().to_string())?
            }
            (StoredKey::Sealed(_), None) => continue,
        };
        let key = key.secret_key;
        return Ok(Sender { user, key });
    }
    Err(failure(
        Exit::Refused,
        "the sovereign key of this home belongs to no user of this chain; the chain's owner has the right one",
    ))
}

/// Opens a sealed key. Slow on purpose: whatever else this thread does goes on meanwhile.
async fn open(
    sealed: SealedKey,
    passphrase: Passphrase,
) -> anyhow::Result<Result<KeyFile, SealError>> {
    let opened = tokio::task::spawn_blocking(move || sealed.open(&passphrase.0));
    Ok(opened.await?)
}

/// A user of the chain by name or id.
pub(crate) async fn user(ledger: &LedgerClient, text: &str) -> anyhow::Result<UserView> {
    let found = match text.parse() {
        Ok(id) => ledger.user(&id).await,
        Err(_) => ledger.user_named(&username(text)?).await,
    };
    match found {
        Ok(user) => Ok(user),
        Err(error) if is_missing(&error) => Err(failure(
            Exit::Refused,
            format!(
                "there is no user {} on the chain; nothing was sent; a key made here gets there with: tana deploy user NAME --wait",
                clean(text)
            ),
        )),
        Err(error) => Err(error.into()),
    }
}

/// Signs an order with the sender's key and the next nonce.
pub(crate) async fn sign(
    settings: &Settings,
    ledger: &LedgerClient,
    sender: &Sender,
    order: Order,
) -> anyhow::Result<SignedTransaction> {
    let Order {
        kind,
        to,
        amount,
        currency,
        nonce,
    } = order;
    sign_with(settings, ledger, sender, kind, to, |transaction| {
        transaction.amount = Some(amount);
        transaction.currency_code = Some(currency);
        if let Some(nonce) = nonce {
            transaction.nonce = nonce;
        }
    })
    .await
}

/// Signs a transaction with the sender's key and the next nonce, once the caller has put in what is its own.
pub(crate) async fn sign_with(
    settings: &Settings,
    ledger: &LedgerClient,
    sender: &Sender,
    kind: TransactionType,
    to: Party,
    fill: impl FnOnce(&mut Transaction),
) -> anyhow::Result<SignedTransaction> {
    let chain_id = chain_id(settings, ledger).await?;
    let nonce = ledger.nonce(&sender.user.id).await?.next_nonce;
    let mut transaction = Transaction::new(kind, sender.user.id.into(), to, now(), nonce);
    transaction.chain_id = Some(chain_id);
    fill(&mut transaction);
    Ok(transaction.sign(&sender.key))
}

/// Says what was refused, not only why.
pub(crate) fn refused(error: ClientError, what: &str) -> anyhow::Error {
    let open = is_open(&error);
    let is_refusal = matches!(error, ClientError::Problem(_) | ClientError::Status { .. });
    let error = anyhow::Error::from(error);
    match (open, is_refusal) {
        (true, _) => error.context(format!(
            "whether {what} was taken is not known; look at tana queue and at the balance before trying again"
        )),
        (false, true) => error.context(format!("{what} was refused, nothing was changed")),
        (false, false) => error,
    }
}

/// Submits a transaction, waits where that is wanted, and prints what became of it. `what` says it in words.
pub(crate) async fn submit(
    context: &Context,
    ledger: &LedgerClient,
    signed: &SignedTransaction,
    wait: Wait,
    what: &str,
) -> anyhow::Result<Exit> {
    let begun = Instant::now();
    let submitted = ledger
        .submit(signed)
        .await
        .map_err(|error| refused(error, what))?;
    let id = submitted.id;
    if !wait.is_wanted() {
        return queued(context, &submitted, &submitted, what, &id);
    }
    let view = confirmed(ledger, &id, wait.limit()).await?;
    settle(context, &view, what, begun.elapsed())
}

/// Says of a transaction that it was taken, and that it is not in a block yet. `what` says it in words, `id` is what it is of.
pub(crate) fn queued(
    context: &Context,
    submitted: &Submitted,
    value: &impl Serialize,
    what: &str,
    id: &impl Display,
) -> anyhow::Result<Exit> {
    context.out.show(value, || {
        format!("{what}  {}  {id}\n", submitted.status.as_str())
    })?;
    context
        .out
        .hint("it is done once it is in a block; --wait waits for that")?;
    Ok(Exit::Done)
}

/// Prints a confirmed transaction; a failed one is an error.
pub(crate) fn settle(
    context: &Context,
    view: &TransactionView,
    what: &str,
    took: Duration,
) -> anyhow::Result<Exit> {
    must_be_confirmed(view, what)?;
    let block = in_block(view);
    context.out.show(view, || {
        format!(
            "{what}  {}{block}  {} ms  {}\n",
            view.status.as_str(),
            took.as_millis(),
            context.out.dim(&view.id.to_string())
        )
    })?;
    Ok(Exit::Done)
}

pub(crate) fn in_block(view: &TransactionView) -> String {
    view.block_height
        .map_or_else(String::new, |height| format!(" in block {height}"))
}

/// A transaction that failed in its block is an error.
pub(crate) fn must_be_confirmed(view: &TransactionView, what: &str) -> anyhow::Result<()> {
    let block = in_block(view);
    if view.status == TransactionStatus::Failed {
        let why = view.receipt.as_ref().map_or_else(
            || "no receipt".to_owned(),
            |receipt| format!("{} ({})", receipt.message, receipt.code),
        );
        return Err(failure(
            Exit::Refused,
            format!(
                "{what}: failed{block}, nothing was changed: {}",
                clean(&why)
            ),
        ));
    }
    Ok(())
}
