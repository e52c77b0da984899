//! A transaction as the fields of a stream entry: its own names, every value a string, as the wire has it.

use std::borrow::Cow;
use std::fmt::Display;

use ::redis::{Cmd, Value};
use serde_json::Value as Json;
use tana_protocol::{SignedTransaction, Timestamp, Transaction, TransactionId};

/// Fields of a dead letter beside those of its transaction.
pub(super) const DEAD: [&str; 4] = ["streamId", "code", "reason", "buriedAt"];

/// Names and values of an entry.
pub(super) fn of<'a>(
    id: &'a str,
    signed: &'a SignedTransaction,
) -> Vec<(&'static str, Cow<'a, str>)> {
    let transaction = &signed.transaction;
    let text = |name, value: &'a str| Some((name, Cow::Borrowed(value)));
    let made = |name, value: Option<String>| value.map(|value| (name, Cow::Owned(value)));
    let shown = |it: &dyn Display| Some(it.to_string());
    let fields = [
        text("id", id),
        text("type", transaction.kind.as_str()),
        text("from", transaction.from.as_str()),
        text("to", transaction.to.as_str()),
        made("timestamp", shown(&transaction.timestamp.ms())),
        made("nonce", shown(&transaction.nonce)),
        made(
            "amount",
            transaction.amount.as_ref().and_then(|it| shown(it)),
        ),
        made(
            "currencyCode",
            transaction.currency_code.as_ref().and_then(|it| shown(it)),
        ),
        made(
            "contractId",
            transaction.contract_id.as_ref().and_then(|it| shown(it)),
        ),
        made(
            "contractInput",
            transaction.contract_input.as_ref().and_then(|it| shown(it)),
        ),
        made(
            "metadata",
            transaction.metadata.as_ref().and_then(|it| shown(it)),
        ),
        transaction
            .chain_id
            .as_deref()
            .and_then(|it| text("chainId", it)),
        made("signature", shown(&signed.signature)),
    ];
    fields.into_iter().flatten().collect()
}

/// Adds names and values to a command.
pub(super) fn write(command: &mut Cmd, fields: &[(&'static str, Cow<'_, str>)]) {
    for (name, value) in fields {
        command.arg(*name).arg(&**value);
    }
}

/// Names and values of an entry as the server answers them.
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads the flat list; anything else is no entry.
    pub(super) fn of(value: Value) -> Result<Self, String> {
        let Value::Array(items) = value else {
            return Err("its fields are not a list".to_owned());
        };
        let mut texts = items.into_iter().map(text);
        let mut fields = Vec::new();
        while let Some(name) = texts.next() {
            let value = texts.next().ok_or("a field has no value")?;
            fields.push((name?, value?));
        }
        Ok(Self(fields))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
    }

    fn required(&self, name: &str) -> Result<&str, String> {
        self.get(name).ok_or_else(|| format!("it has no {name}"))
    }

    fn parsed<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, String>
    where
        T::Err: std::fmt::Display,
    {
        self.get(name)
            .map(|text| text.parse().map_err(|error| format!("{name}: {error}")))
            .transpose()
    }

    fn json(&self, name: &str) -> Result<Option<Json>, String> {
        self.get(name)
            .map(|text| serde_json::from_str(text).map_err(|error| format!("{name}: {error}")))
            .transpose()
    }

    pub(super) fn number(&self, name: &str) -> Result<u64, String> {
        let text = self.required(name)?;
        text.parse().map_err(|_| format!("{name} is no number"))
    }

    /// The transaction and its id, which is computed and not believed.
    pub(super) fn transaction(&self) -> Result<(TransactionId, SignedTransaction), String> {
        let needed = |name: &str| self.required(name);
        let transaction = Transaction {
            kind: needed("type")?.parse()?,
            from: needed("from")?
                .parse()
                .map_err(|error| format!("from: {error}"))?,
            to: needed("to")?
                .parse()
                .map_err(|error| format!("to: {error}"))?,
            timestamp: Timestamp::from_ms(self.number("timestamp")?),
            nonce: self.number("nonce")?,
            amount: self.parsed("amount")?,
            currency_code: self.parsed("currencyCode")?,
            contract_id: self.parsed("contractId")?,
            contract_input: self.json("contractInput")?,
            metadata: self.json("metadata")?,
            chain_id: self.get("chainId").map(str::to_owned),
        };
        transaction.nests_little()?;
        let signature = needed("signature")?
            .parse()
            .map_err(|error| format!("signature: {error}"))?;
        let signed = SignedTransaction {
            transaction,
            signature,
        };
        Ok((signed.id(), signed))
    }
}

/// A text of the server's.
pub(super) fn text(value: Value) -> Result<String, String> {
    match value {
        Value::BulkString(bytes) => {
            String::from_utf8(bytes).map_err(|_| "a field is not UTF-8".to_owned())
        }
        Value::SimpleString(text) => Ok(text),
        Value::Int(number) => Ok(number.to_string()),
        _ => Err("a field is no text".to_owned()),
    }
}
