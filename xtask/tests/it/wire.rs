//! What every daemon owes over HTTP, and how each refuses what is wrong.

use crate::http;
use crate::node::Node;

const LISTENING: [&str; 6] = ["mesh", "ledger", "t4", "identity", "producer", "edge"];

#[test]
fn every_daemon_tells_health_metrics_and_its_api() {
    let node = Node::running();
    for service in LISTENING {
        let port = node.port(service);
        let health = http::get(port, "/health");
        assert_eq!(health.status, 200, "{service}: {}", health.text);
        let metrics = http::get(port, "/metrics");
        assert_eq!(metrics.status, 200, "{service}: {}", metrics.text);
        let sample = |line: &str| {
            !line.starts_with('#')
                && line
                    .rsplit_once(' ')
                    .is_some_and(|(_, value)| value.parse::<f64>().is_ok())
        };
        assert!(
            metrics.text.lines().any(sample),
            "{service} has no metric: {}",
            metrics.text
        );
        let api = http::get(port, "/openapi.json");
        let paths = api.json["paths"].as_object();
        for path in ["/health", "/metrics", "/openapi.json"] {
            assert!(
                paths.is_some_and(|paths| paths.contains_key(path)),
                "{service} does not say what {path} is: {}",
                api.text
            );
        }
    }
}

#[test]
fn errors_are_problem_documents() {
    let node = Node::running();
    let ledger = node.port("ledger");
    let unknown = "018f0000-0000-8000-8000-000000000000";
    let transfer = format!(
        r#"{{"type":"transfer","from":"{unknown}","to":"{unknown}","timestamp":1,"nonce":1,"amount":"1","currencyCode":"USD","signature":"{}"}}"#,
        "00".repeat(64)
    );
    let registration = format!(
        r#"{{"nodeId":"validator-9","publicKey":"ed25519_{}","tailscaleHostname":"x","services":[],"signature":"ed25519_sig_{}"}}"#,
        "277b22f07eb50b24a7f84760adbd38380a8b6fc659a142e63d36228ee75c354f",
        "11".repeat(64)
    );
    let cases = [
        (
            "ledger",
            ledger,
            "GET",
            "/users/username/nobody".to_owned(),
            String::new(),
            vec![404],
        ),
        (
            "ledger",
            ledger,
            "GET",
            "/blocks/99999999".to_owned(),
            String::new(),
            vec![404],
        ),
        (
            "ledger",
            ledger,
            "GET",
            "/no/such/path".to_owned(),
            String::new(),
            vec![404],
        ),
        (
            "ledger",
            ledger,
            "DELETE",
            "/users".to_owned(),
            String::new(),
            vec![405],
        ),
        (
            "ledger",
            ledger,
            "POST",
            "/transactions".to_owned(),
            "{\"type\":".to_owned(),
            vec![400],
        ),
        // Nobody signed this: no sender, an old time, no signature.
        (
            "ledger",
            ledger,
            "POST",
            "/transactions".to_owned(),
            transfer,
            vec![400, 401, 404, 422],
        ),
        (
            "ledger",
            ledger,
            "POST",
            "/blocks".to_owned(),
            "{}".to_owned(),
            vec![400, 401],
        ),
        (
            "mesh",
            node.port("mesh"),
            "POST",
            "/register".to_owned(),
            registration,
            vec![401],
        ),
        (
            "mesh",
            node.port("mesh"),
            "GET",
            "/nodes/nobody".to_owned(),
            String::new(),
            vec![404],
        ),
        (
            "identity",
            node.port("identity"),
            "GET",
            "/auth/session/sess_0000000000000000".to_owned(),
            String::new(),
            vec![404],
        ),
        (
            "identity",
            node.port("identity"),
            "GET",
            "/auth/session/verify".to_owned(),
            String::new(),
            vec![401],
        ),
        (
            "t4",
            node.port("t4"),
            "GET",
            format!("/content/{}", "0".repeat(64)),
            String::new(),
            vec![404],
        ),
        (
            "t4",
            node.port("t4"),
            "PUT",
            format!("/content/{}", "0".repeat(64)),
            "x".to_owned(),
            vec![401],
        ),
    ];
    for (service, port, method, path, body, wanted) in cases {
        let answer = http::send(port, method, &path, &body);
        let what = format!(
            "{service} {method} {path}: {} {}",
            answer.status, answer.text
        );
        assert!(wanted.contains(&answer.status), "{what}");
        assert!(
            answer
                .head
                .contains("content-type: application/problem+json"),
            "{what}\n{}",
            answer.head
        );
        for member in ["type", "title", "detail", "code"] {
            assert!(answer.json[member].is_string(), "no {member}: {what}");
        }
        assert_eq!(answer.json["status"], answer.status, "{what}");
        assert_eq!(answer.json["error"], answer.json["detail"], "{what}");
    }
}

#[test]
fn a_body_that_is_too_large_is_refused() {
    let node = Node::running();
    let body = format!("{{\"type\":\"{}\"}}", "x".repeat(32 * 1024 * 1024));
    let answer = http::post(node.port("ledger"), "/transactions", &body);
    assert_eq!(answer.status, 413, "{}", answer.text);
}
