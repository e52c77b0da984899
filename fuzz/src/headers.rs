//! Texts outside of bodies: headers, queries, paths. The first byte says which.

use std::hint::black_box;
use std::str::FromStr;
use std::sync::LazyLock;

use futures::FutureExt as _;
use http::Request;
use serde_json::json;
use tana_kit::{EventHub, LastEventId, PageQuery, Shutdown, auth};
use tana_protocol::contract::DataKey;
use tana_protocol::login::{RequestId, SessionId};
use tana_protocol::range::{self, Wanted};
use tana_protocol::token::ServiceToken;
use tana_protocol::transaction::Party;
use tana_protocol::{
    Address, ContractId, ContractName, Hash32, NodeId, PublicKey, Signature, StateKey, Timestamp,
    TransactionId, TransactionType, Username,
};

use crate::text::parse;

pub(crate) fn run(data: &[u8]) {
    let Some((which, data)) = data.split_first() else {
        return;
    };
    match which {
        b'r' => ranges(data),
        b't' => token(data),
        b'e' => last_event(data),
        b'p' => page(data),
        b'k' => keys(data),
        b'c' => contents(data),
        _ => {}
    }
}

fn ranges(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    for size in [0, 1, 10, 1 << 20, u64::MAX] {
        if let Wanted::Part(part) = range::wanted(Some(text), size) {
            assert!(
                part.start < part.end && part.end <= size,
                "{text:?} of {size} bytes gives {part:?}"
            );
        }
    }
    black_box(range::is_known(Some(text), "\"ab\""));
    black_box(range::allows_part(Some(text), "\"ab\""));
}

fn token(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Some(request) = with_header("authorization", data) {
        black_box(auth::bearer(request.headers()));
    }
    if let Ok(token) = ServiceToken::decode(text) {
        let again = ServiceToken::decode(&token.encode()).expect("what was written");
        assert_eq!(again, token);
        let now = token.claims.timestamp;
        black_box(token.verify(&stranger(), now)).ok();
    }
}

fn stranger() -> PublicKey {
    static KEY: LazyLock<PublicKey> =
        LazyLock::new(|| tana_protocol::SecretKey::from_seed(&[7; 32]).public());
    *KEY
}

fn with_header(name: &str, value: &[u8]) -> Option<Request<()>> {
    Request::builder().header(name, value).body(()).ok()
}

fn last_event(data: &[u8]) {
    static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
        let builder = &mut tokio::runtime::Builder::new_current_thread();
        builder.enable_time().build().expect("a runtime")
    });
    static HUB: LazyLock<EventHub> = LazyLock::new(|| {
        let hub = EventHub::new(&Shutdown::default());
        for number in 0..3 {
            hub.publish("block", &json!({"height": number}));
        }
        hub
    });
    let _inside = RUNTIME.enter();
    if let Some(request) = with_header("last-event-id", data) {
        let (mut parts, ()) = request.into_parts();
        let last = from_parts::<LastEventId>(&mut parts);
        black_box(HUB.stream(&last.expect("never refused")));
    }
}

fn from_parts<T: axum::extract::FromRequestParts<()>>(
    parts: &mut http::request::Parts,
) -> Option<T> {
    let read = T::from_request_parts(parts, &()).now_or_never();
    read.expect("it waits for nothing").ok()
}

fn page(data: &[u8]) {
    let uri = [b"/blocks?", data].concat();
    let Ok(uri) = http::Uri::try_from(uri.as_slice()) else {
        return;
    };
    let request = Request::builder().uri(uri).body(());
    let Ok((mut parts, ())) = request.map(Request::into_parts) else {
        return;
    };
    if let Some(page) = from_parts::<PageQuery>(&mut parts) {
        assert!((1..=500).contains(&page.limit) && page.offset <= 10_000);
        black_box(page.cursor::<u64>()).ok();
    }
}

fn keys(data: &[u8]) {
    parse::<PublicKey>(data);
    parse::<Signature>(data);
    parse::<Address>(data);
    parse::<TransactionId>(data);
    parse::<TransactionType>(data);
    parse::<Username>(data);
    parse::<ContractName>(data);
    parse::<ContractId>(data);
    parse::<NodeId>(data);
    parse::<Party>(data);
    parse::<StateKey>(data);
    parse::<DataKey>(data);
    parse::<SessionId>(data);
    parse::<RequestId>(data);
    parse::<Timestamp>(data);
}

fn contents(data: &[u8]) {
    let Some(hash) = parse::<Hash32>(data) else {
        return;
    };
    assert_eq!(Hash32::from_str(&hash.to_hex()), Ok(hash));
}
