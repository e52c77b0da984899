use std::fs;

use tana_protocol::ServiceKind;
use tana_protocol::service::NodeRole;

use super::{Overrides, Settings};
use crate::environment::Environment;
use crate::settings_table::SETTINGS;

fn load(config: &str, variables: &[(&str, &str)]) -> Result<Settings, String> {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("config.json"), config).unwrap();
    let overrides = Overrides {
        home: Some(home.path().into()),
        ..Overrides::default()
    };
    Settings::from_environment(
        &overrides,
        &Environment::from_iter(variables.iter().copied()),
    )
    .map_err(|error| error.to_string())
}

#[test]
fn the_environment_wins_over_the_file_and_the_offset_moves_all() {
    let settings = load(
        r#"{"ledgerPort": 9000, "EDGE_PORT": "8182", "portOffset": 5}"#,
        &[("PORT", "9100")],
    )
    .unwrap();
    assert_eq!(settings.port(ServiceKind::Ledger), 9105);
    assert_eq!(settings.port(ServiceKind::Edge), 8187);
    assert_eq!(settings.url(ServiceKind::Mesh), "http://127.0.0.1:8195");
}

#[test]
fn t4_takes_the_edges_port_where_there_is_no_edge() {
    let settings = load("{}", &[("TANA_ROLE", "validator")]).unwrap();
    assert_eq!(settings.role, NodeRole::Validator);
    assert_eq!(settings.port(ServiceKind::T4), 8180);
    assert_eq!(load("{}", &[]).unwrap().port(ServiceKind::T4), 8181);
}

#[test]
fn an_error_names_the_file_the_key_and_what_would_be_right() {
    let error = load(r#"{"ledgerPrt": 1}"#, &[]).unwrap_err();
    assert!(
        error.contains("config.json")
            && error.contains("ledgerPrt")
            && error.contains("ledgerPort"),
        "{error}"
    );
    let error = load(r#"{"ledgerPort": "x"}"#, &[]).unwrap_err();
    assert!(
        error.contains("ledgerPort") && error.contains("65535"),
        "{error}"
    );
    let error = load("{}", &[("TANA_ROLE", "king")]).unwrap_err();
    assert!(
        error.contains("environment") && error.contains("coordinator"),
        "{error}"
    );
    let error = load("not json", &[]).unwrap_err();
    assert!(error.contains("config.json"), "{error}");
    let error = load(r#"{"portOffset": 60000}"#, &[]).unwrap_err();
    assert!(error.contains("smaller"), "{error}");
}

#[test]
fn keys_are_a_table_of_actions_in_the_file_or_the_environment() {
    let settings = load(r#"{"keys": {"quit": ["q", "f10"], "approve": "f2"}}"#, &[]).unwrap();
    let mut changes = settings.keys.changes;
    changes.sort();
    assert_eq!(
        changes,
        [
            ("approve".to_owned(), vec!["f2".to_owned()]),
            ("quit".to_owned(), vec!["q".to_owned(), "f10".to_owned()])
        ]
    );
    assert!(settings.keys.origin.ends_with("config.json"));
    let settings = load(r#"{"keys": {"a": "b"}}"#, &[("TANA_KEYS", r#"{"c": "d"}"#)]).unwrap();
    assert_eq!(settings.keys.changes[0].0, "c");
    for bad in [
        r#"{"keys": "q"}"#,
        r#"{"keys": {"quit": 5}}"#,
        r#"{"keys": {"quit": [1]}}"#,
    ] {
        let error = load(bad, &[]).unwrap_err();
        assert!(
            error.contains("keys") && error.contains("\"approve\""),
            "{error}"
        );
    }
}

#[test]
fn no_two_settings_share_a_name() {
    for (at, setting) in SETTINGS.iter().enumerate() {
        assert!(
            SETTINGS
                .iter()
                .skip(at + 1)
                .all(|s| s.key != setting.key && s.variable != setting.variable)
        );
    }
}

#[test]
fn a_port_that_a_flag_names_is_not_moved() {
    let mut settings = load(r#"{"portOffset": 15000}"#, &[]).unwrap();
    settings.set_port(ServiceKind::T4, 8080);
    assert_eq!(settings.port(ServiceKind::T4), 8080);
    assert_eq!(settings.url(ServiceKind::T4), "http://127.0.0.1:8080");
    assert_eq!(settings.port(ServiceKind::Mesh), 23190);
}

#[test]
fn who_takes_notifications_is_whole_or_refused() {
    use crate::push::PushProvider;
    assert!(load("{}", &[]).unwrap().push.is_none());
    let expo = load("{}", &[("PUSH_PROVIDER", "expo")]).unwrap().push;
    let expo = expo.unwrap();
    assert_eq!(expo.provider, PushProvider::Expo);
    assert!(expo.url.starts_with("https://exp.host/"), "{}", expo.url);
    let error = load(r#"{"pushProvider": "webhook"}"#, &[]).unwrap_err();
    assert!(error.contains("pushUrl"), "{error}");
    let error = load(r#"{"pushProvider": "pigeon"}"#, &[]).unwrap_err();
    assert!(error.contains("none, webhook or expo"), "{error}");
    let config =
        r#"{"pushProvider": "webhook", "pushUrl": "http://127.0.0.1:1/x", "pushSecret": "hush"}"#;
    let settings = load(config, &[]).unwrap();
    assert!(!format!("{settings:?}").contains("hush"));
    assert_eq!(settings.push.unwrap().secret.unwrap().reveal(), "hush");
}
