//! Starts the real binary and reads what it says.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_tana-runtime");

/// A file of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// A directory with a contract and, perhaps, a context.
pub(crate) struct Case {
    dir: TempDir,
    arguments: Vec<String>,
}

/// What came of a run with `--json`.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) exit: Option<i32>,
    pub(crate) json: Value,
}

impl Ran {
    pub(crate) fn error(&self) -> &str {
        self.json["error"]["code"].as_str().unwrap_or("none")
    }

    pub(crate) fn message(&self) -> &str {
        self.json["error"]["message"].as_str().unwrap_or("")
    }

    #[track_caller]
    pub(crate) fn result(&self) -> &Value {
        assert_eq!(self.exit, Some(0), "{:#}", self.json);
        &self.json["result"]
    }
}

impl Case {
    pub(crate) fn new(source: &str) -> Self {
        let dir = TempDir::new().unwrap();
        write(&dir.path().join("contract.ts"), source);
        Self {
            dir,
            arguments: Vec::new(),
        }
    }

    /// The body of `contract()`, with all modules imported.
    pub(crate) fn body(body: &str) -> Self {
        Self::new(&format!(
            "import {{ console, version }} from 'tana/core';\nimport {{ block }} from 'tana/block';\nimport {{ tx }} from 'tana/tx';\n\
             import {{ data }} from 'tana/data';\nimport {{ context }} from 'tana/context';\nimport {{ fetch }} from 'tana/utils';\n\
             import {{ Request, Response }} from 'tana/net';\nexport async function contract(): Promise<any> {{\n{body}\n}}\n"
        ))
    }

    pub(crate) fn context(mut self, context: &Value) -> Self {
        write(&self.dir.path().join("context.json"), &context.to_string());
        let path = self.dir.path().join("context.json").display().to_string();
        self.arguments.extend(["--context".to_owned(), path]);
        self
    }

    pub(crate) fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments
            .extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    pub(crate) fn run(&self) -> Ran {
        let output = tana_runtime(&["run", "--json"])
            .arg(self.dir.path().join("contract.ts"))
            .args(&self.arguments)
            .output()
            .unwrap();
        ran(&output)
    }
}

pub(crate) fn ran(output: &Output) -> Ran {
    let text = String::from_utf8_lossy(&output.stdout);
    let json = serde_json::from_str(&text).unwrap_or_else(|_| {
        panic!(
            "no JSON: {text}\n{}",
            String::from_utf8_lossy(&output.stderr)
        )
    });
    Ran {
        exit: output.status.code(),
        json,
    }
}

pub(crate) fn tana_runtime(arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).env("V82JSC_NO_BC_CACHE", "1");
    command
}

fn write(path: &Path, text: &str) {
    std::fs::File::create(path)
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
}
