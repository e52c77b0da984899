//! What the screen in view lists, kept in files: as CSV (RFC 4180) and as JSON, whole values in the order of the screen and
//! under its filter. For spreadsheets, scripts and reports.

use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use tana_protocol::Timestamp;

use crate::features::{approvals, blocks, content, contracts, logs, mesh, queue, services};
use crate::model::{Model, Screen};

/// A list as it is kept.
pub(crate) struct Table<'a> {
    pub(crate) columns: &'static [&'static str],
    pub(crate) rows: Box<dyn Iterator<Item = Vec<Value>> + 'a>,
}

impl<'a> Table<'a> {
    fn new(
        columns: &'static [&'static str],
        rows: impl Iterator<Item = Vec<Value>> + 'a,
    ) -> Option<Self> {
        Some(Self {
            columns,
            rows: Box::new(rows),
        })
    }
}

fn time(at: Timestamp) -> Value {
    Value::String(at.to_string())
}

fn times(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, time)
}

/// The list of the screen in view; none where it has no list.
pub(crate) fn table(model: &Model) -> Option<Table<'_>> {
    match model.screen {
        Screen::Services => Table::new(
            &[
                "service",
                "state",
                "why",
                "pid",
                "port",
                "url",
                "startedAt",
                "cpuPermille",
                "memoryBytes",
                "restarts",
                "lastLine",
            ],
            services::model::rows(model).into_iter().map(|s| {
                vec![
                    json!(s.name),
                    json!(s.state.as_str()),
                    json!(s.why),
                    json!(s.pid),
                    json!(s.port),
                    json!(s.url),
                    times(s.started_at),
                    json!(s.cpu_permille),
                    json!(s.memory_bytes),
                    json!(s.restarts),
                    json!(s.last_line),
                ]
            }),
        ),
        Screen::Mesh => Table::new(
            &[
                "node",
                "state",
                "role",
                "region",
                "latencyMs",
                "height",
                "lastHeartbeat",
                "version",
                "host",
                "ip",
                "publicKey",
            ],
            mesh::model::rows(model).into_iter().map(|n| {
                let here = model.here.node.as_ref();
                vec![
                    json!(n.id),
                    json!(model.mesh.standing(n, model.clock.now).word()),
                    json!(mesh::model::role(n)),
                    json!(n.region),
                    json!(model.mesh.latency(here, &n.id)),
                    json!(n.height),
                    times(n.last_heartbeat),
                    json!(n.version),
                    json!(n.tailscale_hostname),
                    json!(n.tailscale_ip),
                    json!(n.public_key),
                ]
            }),
        ),
        Screen::Approvals => Table::new(
            &["waiting", "kind", "from", "publicKey", "since", "check"],
            approvals::model::rows(model).into_iter().map(|waits| {
                let said = |check| match check {
                    approvals::model::Check::Fits => "fits",
                    approvals::model::Check::Wrong => "wrong",
                };
                match waits {
                    approvals::model::Waits::Node(n) => vec![
                        json!(n.id),
                        json!(mesh::model::role(n)),
                        json!(n.tailscale_hostname),
                        json!(n.public_key),
                        time(n.registered_at),
                        json!(approvals::model::check(model, &n.id).map(said)),
                    ],
                    approvals::model::Waits::Request(r) => vec![
                        json!(r.request_id),
                        json!(r.transaction.kind),
                        json!(r.app_name),
                        Value::Null,
                        time(r.transaction.timestamp),
                        json!(said(approvals::model::reads_as_it_says(r))),
                    ],
                }
            }),
        ),
        Screen::Blocks => Table::new(
            &[
                "height",
                "time",
                "producer",
                "transactions",
                "failed",
                "gasUsed",
                "hash",
                "stateRoot",
            ],
            blocks::model::rows(model).into_iter().map(|b| {
                vec![
                    json!(b.header.height),
                    time(b.header.timestamp),
                    json!(b.header.producer),
                    json!(b.header.tx_count),
                    json!(b.failed_count),
                    json!(b.header.gas_used),
                    json!(b.hash),
                    json!(b.header.state_root),
                ]
            }),
        ),
        Screen::Queue => Table::new(
            &[
                "transaction",
                "state",
                "type",
                "from",
                "to",
                "amount",
                "currency",
                "nonce",
                "since",
                "why",
            ],
            queue::model::rows(model).into_iter().map(|entry| {
                let transaction = &entry.signed().transaction;
                let (state, why) = match entry {
                    queue::model::Entry::Dead(letter) => ("dead", Some(letter.reason.clone())),
                    queue::model::Entry::Waiting(_) => ("waits", None),
                };
                vec![
                    json!(entry.id()),
                    json!(state),
                    json!(transaction.kind),
                    json!(transaction.from),
                    json!(transaction.to),
                    json!(transaction.amount),
                    json!(transaction.currency_code),
                    json!(transaction.nonce),
                    time(entry.since()),
                    json!(why),
                ]
            }),
        ),
        Screen::Contracts => Table::new(
            &[
                "contract",
                "version",
                "id",
                "owner",
                "active",
                "block",
                "deployedAt",
                "codeHash",
                "description",
            ],
            contracts::model::rows(model).into_iter().map(|c| {
                vec![
                    json!(c.name),
                    json!(c.version),
                    json!(c.id),
                    json!(c.owner_id),
                    json!(c.is_active),
                    json!(c.deployed_in_block),
                    time(c.created_at),
                    json!(c.code_hash),
                    json!(c.description),
                ]
            }),
        ),
        Screen::Content => Table::new(
            &["hash", "block", "size"],
            content::model::rows(model)
                .into_iter()
                .map(|o| vec![json!(o.hash), json!(o.height), json!(o.size)]),
        ),
        Screen::Logs => Table::new(
            &["time", "service", "level", "text"],
            logs::model::shown(model).map(|line| {
                vec![
                    time(line.at),
                    json!(line.service),
                    json!(line.level),
                    json!(line.text),
                ]
            }),
        ),
        Screen::Login => None,
    }
}

/// Writes a table into two files for their owner alone. Answers the CSV's path and how many rows there are.
///
/// # Errors
/// When the directory or a file cannot be written; nothing that is there is overwritten.
pub(crate) fn save(dir: &Path, name: &str, table: Table<'_>) -> io::Result<(PathBuf, usize)> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)?;
    let open = |extension: &str| {
        let path = dir.join(format!("{name}.{extension}"));
        let file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        Ok::<_, io::Error>((path, BufWriter::new(file)))
    };
    let (path, mut csv) = open("csv")?;
    let (_, mut json) = open("json")?;
    let count = write(table, &mut csv, &mut json)?;
    for file in [csv, json] {
        file.into_inner()
            .map_err(io::IntoInnerError::into_error)?
            .sync_all()?;
    }
    Ok((path, count))
}

fn write(table: Table<'_>, csv: &mut impl Write, json: &mut impl Write) -> io::Result<usize> {
    let heading = table.columns.join(",");
    write!(csv, "{heading}\r\n")?;
    write!(json, "[")?;
    let mut count = 0;
    for row in table.rows {
        let cells: Vec<String> = row.iter().map(cell).collect();
        write!(csv, "{}\r\n", cells.join(","))?;
        let object: Map<String, Value> = table
            .columns
            .iter()
            .map(|column| (*column).to_owned())
            .zip(row)
            .collect();
        let before = if count == 0 { "\n" } else { ",\n" };
        write!(json, "{before}{}", Value::Object(object))?;
        count += 1;
    }
    writeln!(json, "\n]")?;
    Ok(count)
}

/// A value as a cell. A text that a spreadsheet would take for a formula is quoted from it by an apostrophe.
fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) => text.clone(),
        other => return other.to_string(),
    };
    let text = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) && !is_name(&text) {
        format!("'{text}")
    } else {
        text
    };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

/// `@alice`: no formula is so short of signs.
fn is_name(text: &str) -> bool {
    text.strip_prefix('@').is_some_and(|name| {
        name.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::fixture::{busy, contracts, queue, survey};
    use crate::msg::{ChainNews, Msg};
    use crate::theme::Caps;
    use crate::update::{go, update};

    fn both(model: &Model) -> (String, Vec<Value>) {
        let (mut csv, mut json) = (Vec::new(), Vec::new());
        write(table(model).unwrap(), &mut csv, &mut json).unwrap();
        (
            String::from_utf8(csv).unwrap(),
            serde_json::from_slice(&json).unwrap(),
        )
    }

    #[test]
    fn every_screen_with_a_list_gives_its_rows_whole() {
        let mut model = busy(Caps::default());
        for news in [
            ChainNews::Queue(Ok(Box::new(queue()))),
            ChainNews::Contracts(Ok(contracts())),
            ChainNews::Content(Ok(survey())),
        ] {
            update(&mut model, Msg::Chain(news));
        }
        for screen in Screen::ALL {
            go(&mut model, screen);
            if screen == Screen::Login {
                assert!(table(&model).is_none());
                continue;
            }
            let (csv, json) = both(&model);
            assert_eq!(csv.lines().count(), json.len() + 1, "{screen:?}");
            assert!(!json.is_empty(), "{screen:?}");
            let columns = csv.lines().next().unwrap().split(',').count();
            assert_eq!(json[0].as_object().unwrap().len(), columns, "{screen:?}");
        }
        go(&mut model, Screen::Blocks);
        let (_, json) = both(&model);
        assert_eq!(json[0]["hash"].as_str().unwrap().len(), 64, "not shortened");
    }

    #[test]
    fn what_is_filtered_away_is_not_kept() {
        let mut model = busy(Caps::default());
        let filter = crate::filter::Filter::parse("nginx").unwrap();
        model.filters.insert(Screen::Services, filter);
        let (_, json) = both(&model);
        assert_eq!(json.len(), 1);
        assert_eq!(json[0]["service"], "edge");
    }

    #[test]
    fn cells_are_quoted_and_are_no_formulas() {
        assert_eq!(cell(&json!("a,b \"c\"")), "\"a,b \"\"c\"\"\"");
        assert_eq!(cell(&json!("=1+1")), "'=1+1");
        assert_eq!(cell(&json!("@alice")), "@alice");
        assert_eq!(cell(&json!("@SUM(A1)")), "'@SUM(A1)");
        assert_eq!(cell(&json!(null)), "");
        assert_eq!(cell(&json!(-5)), "-5");
    }

    #[test]
    fn files_are_the_owners_and_nothing_is_overwritten() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let model = busy(Caps::default());
        let (path, count) = save(dir.path(), "services", table(&model).unwrap()).unwrap();
        assert_eq!(count, 6);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = save(dir.path(), "services", table(&model).unwrap());
        assert_eq!(again.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }
}
