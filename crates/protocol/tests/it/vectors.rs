//! Fixed vectors made by libsodium (`tests/vectors/make.py`): another implementation must agree to the byte.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use tana_protocol::login::LoginMessage;
use tana_protocol::message::{self, Decision};
use tana_protocol::{
    Address, Network, PublicKey, SecretKey, ServiceToken, Signature, SignedTransaction, Timestamp,
    Transaction, TransactionId,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Key {
    name: String,
    private_key: String,
    public_key: String,
    address_mainnet: String,
    address_testnet: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Texts {
    message: String,
    public_key: PublicKey,
    signature: Signature,
    public_key_accepted: Vec<String>,
    public_key_refused: Vec<String>,
    signature_accepted: Vec<String>,
    signature_refused: Vec<String>,
}

#[derive(Deserialize)]
struct Signed {
    name: String,
    #[serde(default)]
    kind: String,
    signer: String,
    fields: Value,
    message: String,
    signature: String,
    #[serde(default)]
    id: Option<TransactionId>,
    #[serde(default)]
    token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Negative {
    name: String,
    public_key: String,
    message: String,
    signature: String,
}

#[derive(Deserialize)]
struct Vectors {
    keys: Vec<Key>,
    texts: Texts,
    transactions: Vec<Signed>,
    messages: Vec<Signed>,
    tokens: Vec<Signed>,
    negative: Vec<Negative>,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../vectors/vectors.json")).unwrap()
}

fn keys(vectors: &Vectors) -> BTreeMap<&str, SecretKey> {
    vectors
        .keys
        .iter()
        .map(|key| (key.name.as_str(), key.private_key.parse().unwrap()))
        .collect()
}

/// The vector's text and signature are what we make and accept.
fn agree(vector: &Signed, message: &str, key: &SecretKey) {
    assert_eq!(message, vector.message, "{}", vector.name);
    assert_eq!(
        key.sign(message).to_string(),
        vector.signature,
        "{}",
        vector.name
    );
    key.public()
        .verify(message, &vector.signature.parse().unwrap())
        .unwrap();
}

#[test]
fn keys_and_addresses_agree() {
    let vectors = vectors();
    assert!(vectors.keys.len() >= 5);
    for key in &vectors.keys {
        let public = key.private_key.parse::<SecretKey>().unwrap().public();
        assert_eq!(public.to_string(), key.public_key, "{}", key.name);
        for (network, text) in [
            (Network::Mainnet, &key.address_mainnet),
            (Network::Testnet, &key.address_testnet),
        ] {
            let address = Address::of(&public, network);
            assert_eq!(&address.to_string(), text, "{}", key.name);
            assert_eq!(text.parse(), Ok(address));
        }
    }
}

#[test]
fn texts_are_accepted_and_refused_alike() {
    let Vectors { texts, .. } = vectors();
    texts
        .public_key
        .verify(&texts.message, &texts.signature)
        .unwrap();
    for text in &texts.public_key_accepted {
        assert_eq!(text.parse(), Ok(texts.public_key), "{text:?}");
    }
    for text in &texts.public_key_refused {
        assert!(text.parse::<PublicKey>().is_err(), "{text:?}");
    }
    for text in &texts.signature_accepted {
        assert_eq!(text.parse(), Ok(texts.signature), "{text:?}");
    }
    for text in &texts.signature_refused {
        assert!(text.parse::<Signature>().is_err(), "{text:?}");
    }
}

#[test]
fn transactions_agree() {
    let vectors = vectors();
    assert!(vectors.transactions.len() >= 15);
    for vector in &vectors.transactions {
        let transaction: Transaction = serde_json::from_value(vector.fields.clone()).unwrap();
        agree(
            vector,
            &transaction.message(),
            &keys(&vectors)[vector.signer.as_str()],
        );
        let signed = SignedTransaction {
            transaction,
            signature: vector.signature.parse().unwrap(),
        };
        assert_eq!(Some(signed.id()), vector.id, "{}", vector.name);
    }
}

#[test]
fn messages_agree() {
    let vectors = vectors();
    for vector in &vectors.messages {
        let text = |name: &str| vector.fields[name].as_str().unwrap_or_default().to_owned();
        let key = |name: &str| text(name).parse::<PublicKey>().unwrap();
        let at = Timestamp::from_ms(vector.fields["timestamp"].as_u64().unwrap_or_default());
        let decide = |decision| {
            let node = text("nodeId").parse().unwrap();
            match vector.fields.get("timestamp") {
                Some(_) => message::decision(decision, &node, &key("nodePublicKey"), at),
                None => message::decision_short(decision, &node),
            }
        };
        let made = match vector.kind.as_str() {
            "login" => serde_json::from_value::<LoginMessage>(vector.fields.clone())
                .unwrap()
                .text(),
            "registration" => message::registration(
                &text("nodeId"),
                &text("publicKey"),
                &text("tailscaleHostname"),
            ),
            "approval" => decide(Decision::Approve),
            "denial" => decide(Decision::Deny),
            "heartbeat" => message::heartbeat(&text("nodeId").parse().unwrap(), at),
            "sovereignAdd" => message::sovereign_add(&key("publicKey"), at),
            "sovereignRotate" => {
                message::sovereign_rotate(&key("oldPublicKey"), &key("newPublicKey"), at)
            }
            other => panic!("no message is called {other:?}"),
        };
        agree(vector, &made, &keys(&vectors)[vector.signer.as_str()]);
    }
}

#[test]
fn service_tokens_agree() {
    let vectors = vectors();
    for vector in &vectors.tokens {
        let token = ServiceToken::decode(vector.token.as_deref().unwrap()).unwrap();
        let keys = keys(&vectors);
        let key = &keys[vector.signer.as_str()];
        agree(vector, &tana_protocol::json::compact(&token.claims), key);
        assert_eq!(token.signature.to_string(), vector.signature);
        token.verify(&key.public(), token.claims.timestamp).unwrap();
    }
}

#[test]
fn what_libsodium_refuses_or_is_weak_is_refused() {
    let Vectors { negative, .. } = vectors();
    assert!(negative.len() >= 10);
    for vector in &negative {
        let Ok(key) = vector.public_key.parse::<PublicKey>() else {
            continue;
        };
        let signature: Signature = vector.signature.parse().unwrap();
        assert!(
            key.verify(&vector.message, &signature).is_err(),
            "{}",
            vector.name
        );
    }
    let refused = negative
        .iter()
        .filter(|v| v.public_key.parse::<PublicKey>().is_err())
        .count();
    assert!(refused >= 4, "keys of small order must not even parse");
}
