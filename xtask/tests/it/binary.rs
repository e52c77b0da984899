//! The binaries under test, and one run of `tana`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Where the binaries are: `TANA_TEST_BIN`, or the directory that cargo built this test into.
pub(crate) fn dir() -> PathBuf {
    let dir = setting("TANA_TEST_BIN").map_or_else(
        || {
            std::env::current_exe()
                .unwrap()
                .ancestors()
                .nth(2)
                .unwrap()
                .to_owned()
        },
        PathBuf::from,
    );
    for name in ["tana", "tanad", "tana-edge"] {
        assert!(
            dir.join(name).is_file(),
            "{} is not there: run the tests with `cargo xtask test --only e2e`",
            dir.join(name).display()
        );
    }
    dir
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tests' own variables, none of Tana's settings"
)]
pub(crate) fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Settings of the person who runs the tests that would change what is tested.
pub(crate) const SETTINGS: [&str; 17] = [
    "DATABASE_URL",
    "IDENTITY_DB_URL",
    "REDIS_URL",
    "PORT",
    "IDENTITY_PORT",
    "EDGE_PORT",
    "MESH_PORT",
    "MESH_URL",
    "MESH_DB_PATH",
    "T4_PORT",
    "T4_URL",
    "CONTENT_DIR",
    "TANA_LEDGER_URL",
    "TANA_HOME",
    "NO_COLOR",
    "RUST_LOG",
    "TMUX",
];

/// A program of the product, with nothing inherited that matters to it but `TANA_HOME`.
pub(crate) fn command(name: &str, home: &Path) -> Command {
    let mut command = Command::new(dir().join(name));
    for setting in SETTINGS {
        command.env_remove(setting);
    }
    command
        .env("TANA_HOME", home)
        .current_dir(home)
        .stdin(Stdio::null());
    command
}

/// What a run of `tana` came to.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
    line: String,
}

impl Ran {
    pub(crate) fn of(command: &mut Command) -> Self {
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().expect("the program runs");
        let args: Vec<_> = command
            .get_args()
            .map(|arg| arg.to_string_lossy())
            .collect();
        Self {
            code: status.code(),
            out: String::from_utf8_lossy(&stdout).into_owned(),
            err: String::from_utf8_lossy(&stderr).into_owned(),
            line: format!("tana {}", args.join(" ")),
        }
    }

    /// It succeeded; otherwise what it said fails the test.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert!(
            self.code == Some(0),
            "`{}` gave {:?}:\n{}{}",
            self.line,
            self.code,
            self.out,
            self.err
        );
        self
    }

    /// It refused, orderly: exit not 0, no panic, and a sentence on standard error that contains each of `words`.
    #[track_caller]
    pub(crate) fn refused(self, words: &[&str]) -> Self {
        assert!(
            self.code.is_some_and(|code| code != 0),
            "`{}` gave {:?}:\n{}{}",
            self.line,
            self.code,
            self.out,
            self.err
        );
        assert!(
            !self.err.contains("panicked"),
            "`{}` panicked:\n{}",
            self.line,
            self.err
        );
        let said = self.err.to_lowercase();
        for word in words {
            assert!(
                said.contains(&word.to_lowercase()),
                "`{}` does not say {word:?}:\n{}",
                self.line,
                self.err
            );
        }
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| {
            panic!("`{}` prints no JSON ({error}):\n{}", self.line, self.out)
        })
    }
}
