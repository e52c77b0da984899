//! The setting `contexts`: other nodes and chains that the console and the commands can turn to, by name.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

/// Another node, and how it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextSpec {
    /// Where it is.
    pub place: Place,
    /// What its ports are moved by, where that is not what its home says.
    pub port_offset: Option<u16>,
    /// Whether nothing may be changed there from here.
    pub read_only: bool,
}

/// Where a context's node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// On this machine, with its files here.
    Home(PathBuf),
    /// On another machine.
    Node {
        /// Scheme and host, as `--node` takes them.
        url: String,
        /// The command in front of `tana node proxy` that reaches its supervisor, such as `ssh -T host`.
        via: Vec<String>,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Raw {
    home: Option<PathBuf>,
    node: Option<String>,
    #[serde(default)]
    via: Vec<String>,
    port_offset: Option<u16>,
    #[serde(default)]
    read_only: bool,
}

/// What a context must be.
pub(crate) const WANTED: &str = "an object such as {\"fra\": {\"node\": \"https://10.0.0.5\", \"via\": [\"ssh\", \"-T\", \"10.0.0.5\"], \"readOnly\": true}, \"test\": {\"home\": \"/srv/test\"}}";

/// Reads the table; the name of the first entry that is wrong, and why.
pub(crate) fn parse(table: &Value) -> Result<BTreeMap<String, ContextSpec>, (String, String)> {
    let Value::Object(entries) = table else {
        return Err((String::new(), format!("must be {WANTED}")));
    };
    let mut found = BTreeMap::new();
    for (name, value) in entries {
        let wrong = |what: String| (name.clone(), what);
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || !name.chars().all(plain) {
            return Err(wrong(
                "a name is of letters, digits, '.', '_' and '-'".into(),
            ));
        }
        let raw: Raw =
            serde_json::from_value(value.clone()).map_err(|error| wrong(error.to_string()))?;
        let place = match (raw.home, raw.node) {
            (Some(home), None) if raw.via.is_empty() => Place::Home(home),
            (None, Some(url)) => Place::Node { url, via: raw.via },
            _ => {
                return Err(wrong(
                    "needs either home, a directory, or node, an address, to which via may be given".into(),
                ));
            }
        };
        let spec = ContextSpec {
            place,
            port_offset: raw.port_offset,
            read_only: raw.read_only,
        };
        found.insert(name.clone(), spec);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Place, parse};

    #[test]
    fn a_context_is_a_home_or_a_node_and_anything_else_is_named() {
        let found = parse(&json!({
            "fra": {"node": "https://10.0.0.5", "via": ["ssh", "-T", "fra"], "readOnly": true},
            "test": {"home": "/srv/test", "portOffset": 500},
        }))
        .unwrap();
        assert!(found["fra"].read_only);
        assert_eq!(found["test"].port_offset, Some(500));
        assert_eq!(found["test"].place, Place::Home("/srv/test".into()));
        for bad in [
            json!([]),
            json!({"a": {}}),
            json!({"a": {"home": "/x", "node": "http://y"}}),
            json!({"a": {"home": "/x", "via": ["ssh"]}}),
            json!({"a": {"node": "http://y", "readonly": true}}),
            json!({"a b": {"home": "/x"}}),
        ] {
            assert!(parse(&bad).is_err(), "{bad}");
        }
    }
}
