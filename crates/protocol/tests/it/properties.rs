//! Properties of the codecs: what is written is read back, what is not ours is refused, nothing panics.

use std::time::Duration;

use proptest::prelude::{
    Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use serde_json::Value;
use tana_protocol::login::{QrData, ScannedCode, SessionId};
use tana_protocol::transaction::Party;
use tana_protocol::{
    Address, Network, NodeId, PublicKey, SecretKey, ServiceKind, ServiceToken, Signature,
    SignedTransaction, Timestamp, Transaction, TransactionType, UserId, Username,
};

fn secret() -> impl Strategy<Value = SecretKey> {
    any::<[u8; 32]>().prop_map(|seed| SecretKey::from_seed(&seed))
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((".{0,8}", inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn transaction() -> impl Strategy<Value = Transaction> {
    let kind = prop::sample::select(TransactionType::ALL.to_vec());
    let party = prop_oneof![
        any::<u128>().prop_map(|id| Party::from(UserId(uuid::Uuid::from_u128(id)))),
        "@?[a-zA-Z0-9_-]{1,49}".prop_map(|name| name.parse().unwrap()),
    ];
    let amount = prop::option::of("[0-9]{1,20}(\\.[0-9]{1,18})?");
    (
        kind,
        party.clone(),
        party,
        any::<u32>(),
        any::<u32>(),
        amount,
        prop::option::of(json()),
        prop::option::of(json()),
    )
        .prop_map(
            |(kind, from, to, at, nonce, amount, input, metadata)| Transaction {
                amount: amount.map(|text| text.parse().unwrap()),
                contract_input: input.filter(|value| !value.is_null()),
                metadata: metadata.filter(|value| !value.is_null()),
                ..Transaction::new(kind, from, to, Timestamp::from_ms(at.into()), nonce.into())
            },
        )
}

proptest! {
    #[test]
    fn a_transaction_read_back_is_signed_over_the_same_text(transaction in transaction(), key in secret()) {
        let signed = transaction.sign(&key);
        let text = tana_protocol::json::compact(&signed);
        let read: SignedTransaction = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(read.transaction.message(), signed.transaction.message());
        prop_assert_eq!(read.id(), signed.id());
        prop_assert!(read.verify(&key.public()).is_ok());
    }

    #[test]
    fn any_number_is_read_back_to_its_last_bit(bits in any::<u64>()) {
        let number = f64::from_bits(bits);
        if number.is_finite() {
            let text = tana_protocol::json::compact(&number);
            let read: f64 = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(read.to_bits(), bits, "{}", text);
        }
    }

    #[test]
    fn any_flipped_bit_of_a_signature_or_message_is_refused(key in secret(), message in ".{1,40}", bit in 0usize..512) {
        let signature = key.sign(&message);
        prop_assert!(key.public().verify(&message, &signature).is_ok());
        let mut bytes = signature.to_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(key.public().verify(&message, &Signature::from_bytes(bytes)).is_err());
        let longer = message + " ";
        prop_assert!(key.public().verify(&longer, &signature).is_err());
    }

    #[test]
    fn keys_signatures_and_addresses_round_trip(key in secret()) {
        let public = key.public();
        prop_assert_eq!(public.to_string().parse::<PublicKey>(), Ok(public));
        let signature = key.sign("x");
        prop_assert_eq!(signature.to_string().parse::<Signature>(), Ok(signature));
        for network in [Network::Mainnet, Network::Testnet] {
            let address = Address::of(&public, network);
            prop_assert_eq!(address.to_string().parse::<Address>(), Ok(address));
        }
        prop_assert_eq!(key.to_secret_text().parse::<SecretKey>().unwrap().public(), public);
    }

    #[test]
    fn a_mistyped_address_is_noticed(key in secret(), at in 0usize..18, digit in "[1-9A-HJ-NP-Za-km-z]") {
        let text = Address::of(&key.public(), Network::Testnet).to_string();
        let mut wrong = text.clone();
        let at = at.min(text.len() - 1);
        wrong.replace_range(at..=at, &digit);
        prop_assert!(wrong == text || wrong.parse::<Address>().is_err());
    }

    #[test]
    fn a_service_token_holds_for_its_time_and_its_service(key in secret(), other in secret(), now in 1_000_000_000u64..2_000_000_000_000) {
        let node: NodeId = "validator-1".parse().unwrap();
        let at = Timestamp::from_ms(now);
        let token = ServiceToken::issue(&key, ServiceKind::Ledger, node, at, Duration::from_secs(600));
        let read = ServiceToken::decode(&token.encode()).unwrap();
        prop_assert!(read.verify(&key.public(), at.plus(Duration::from_secs(600))).is_ok());
        prop_assert!(read.verify(&key.public(), at.plus(Duration::from_secs(661))).is_err());
        prop_assert!(read.verify(&key.public(), Timestamp::from_ms(now - 61_000)).is_err());
        prop_assert!(read.verify(&other.public(), at).is_err());
        let mut longer = read.clone();
        longer.claims.expires_at = at.plus(Duration::from_secs(601));
        prop_assert!(longer.verify(&key.public(), at).is_err());
    }

    #[test]
    fn no_text_panics_a_reader(text in any::<String>()) {
        let _ = text.parse::<PublicKey>();
        let _ = text.parse::<Signature>();
        let _ = text.parse::<Address>();
        let _ = text.parse::<Username>();
        let _ = text.parse::<Party>();
        let _ = text.parse::<ScannedCode>();
        let _ = text.parse::<Timestamp>();
        let _ = ServiceToken::decode(&text);
        let _ = serde_json::from_str::<SignedTransaction>(&text);
    }

    #[test]
    fn both_forms_of_a_login_code_are_read(id in any::<[u8; 16]>(), port in 1u16.., name in prop::option::of(".{0,20}")) {
        let mut data = QrData::auth(SessionId::from_random(id), "ab".repeat(32), ["http://127.0.0.1:", &port.to_string()].concat());
        data.app_name = name;
        let rich: ScannedCode = tana_protocol::json::compact(&data).parse().unwrap();
        let short: ScannedCode = data.uri().parse().unwrap();
        prop_assert_eq!(&rich.session_id, &data.session_id);
        prop_assert_eq!((short.session_id, short.server), (rich.session_id, rich.server));
    }
}
