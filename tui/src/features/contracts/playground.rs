//! A contract that is being written: its text, what a run of it gave, what its lines cost.

pub(crate) mod view;

use std::collections::BTreeMap;
use std::fmt;

use ratatui_textarea::{CursorMove, TextArea};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tana_protocol::Timestamp;

use crate::draft::Draft;
use crate::widgets::code::Code;

/// Steps of typing that can be taken back.
const UNDO: usize = 500;

#[derive(Debug, Clone)]
pub(crate) struct Playground {
    /// All but its source, which is the editor's.
    draft: Draft,
    pub(crate) editor: TextArea<'static>,
    /// The text as it is drawn.
    pub(crate) code: Code,
    pub(crate) text: Text,
    pub(crate) typing: Typing,
    /// What `context.input()` gives, as JSON.
    pub(crate) input: Option<Value>,
    pub(crate) entry: Entry,
    /// Which of those who can sign deploys it.
    pub(crate) author: usize,
    /// What each line costs each time it runs, by line from 1; none for a text that was changed since.
    pub(crate) gas: BTreeMap<usize, u64>,
    pub(crate) run: Run,
    /// The first line of the results in view.
    pub(crate) scroll: usize,
}

/// Whether the text is anywhere but here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Text {
    Saved,
    Changed,
}

/// Who takes the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Typing {
    /// The editor.
    On,
    /// The console.
    Off,
}

/// What of a contract is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Entry {
    #[default]
    Auto,
    Init,
    Contract,
    Get,
    Post,
}

impl Entry {
    /// As `tana-runtime run --entry` calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Init => "init",
            Self::Contract => "contract",
            Self::Get => "get",
            Self::Post => "post",
        }
    }

    pub(crate) fn next(self) -> Self {
        match self {
            Self::Auto => Self::Init,
            Self::Init => Self::Contract,
            Self::Contract => Self::Get,
            Self::Get => Self::Post,
            Self::Post => Self::Auto,
        }
    }
}

/// What came of running it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) enum Run {
    #[default]
    Never,
    Running,
    /// The program that runs contracts could not be asked.
    Failed(String),
    Ended(Box<Outcome>, Timestamp),
}

/// What a run gave, and what each line costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ran {
    pub(crate) outcome: Outcome,
    pub(crate) charges: Vec<Charge>,
}

/// What `tana-runtime run --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Outcome {
    pub(crate) success: bool,
    #[serde(default)]
    pub(crate) result: Value,
    #[serde(default)]
    pub(crate) error: Option<Failure>,
    #[serde(default)]
    pub(crate) gas_used: u64,
    #[serde(default)]
    pub(crate) changes: Vec<Change>,
    #[serde(default)]
    pub(crate) logs: Vec<Log>,
    #[serde(default)]
    pub(crate) response: Option<Value>,
    #[serde(default)]
    pub(crate) usage: Usage,
}

/// Why a contract failed, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) code: String,
    pub(crate) message: String,
    /// From 1.
    #[serde(default)]
    pub(crate) line: Option<usize>,
    /// From 1.
    #[serde(default)]
    pub(crate) column: Option<usize>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (Some(line), Some(column)) => {
                write!(f, "{} (line {line}, column {column})", self.message)
            }
            (Some(line), None) => write!(f, "{} (line {line})", self.message),
            _ => f.write_str(&self.message),
        }
    }
}

/// A change that the contract asks the chain to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Change {
    Transfer {
        from: String,
        to: String,
        amount: String,
        currency: String,
    },
    BalanceUpdate {
        to: String,
        amount: String,
        currency: String,
    },
    DataUpdate {
        key: String,
        value: Option<String>,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transfer {
                from,
                to,
                amount,
                currency,
            } => write!(f, "{amount} {currency}  {from} → {to}"),
            Self::BalanceUpdate {
                to,
                amount,
                currency,
            } => write!(f, "{to} has {amount} {currency}"),
            // Anything but a text is stored as JSON after a zero byte.
            Self::DataUpdate {
                key,
                value: Some(value),
            } => write!(f, "{key} = {}", value.trim_start_matches('\0')),
            Self::DataUpdate { key, value: None } => write!(f, "{key} is deleted"),
        }
    }
}

/// A line that the contract printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Log {
    pub(crate) level: Level,
    pub(crate) text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Log,
    Error,
}

/// What it took beside gas.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Usage {
    #[serde(default)]
    pub(crate) wall_us: u64,
}

/// What a straight run of code costs that begins on a line, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Charge {
    pub(crate) line: usize,
    pub(crate) gas: u64,
}

impl Playground {
    pub(crate) fn new(mut draft: Draft) -> Self {
        let source = std::mem::take(&mut draft.source);
        let mut editor = TextArea::new(source.lines().map(str::to_owned).collect());
        editor.set_tab_length(2);
        editor.set_max_histories(UNDO);
        Self {
            // What was not typed here is on the chain, in a file, or the template.
            text: Text::Saved,
            draft,
            editor,
            code: Code::of(&source),
            typing: Typing::Off,
            input: None,
            entry: Entry::default(),
            author: 0,
            gas: BTreeMap::new(),
            run: Run::default(),
            scroll: 0,
        }
    }

    /// The text as it is now.
    pub(crate) fn source(&self) -> String {
        let mut source = self.editor.lines().join("\n");
        source.push('\n');
        source
    }

    pub(crate) fn name(&self) -> &str {
        &self.draft.name
    }

    pub(crate) fn file(&self) -> Option<&std::path::Path> {
        self.draft.file.as_deref()
    }

    /// All of it, as it is now.
    pub(crate) fn draft(&self) -> Draft {
        Draft {
            source: self.source(),
            ..self.draft.clone()
        }
    }

    /// A file has the text that was saved.
    pub(crate) fn saved(&mut self, file: std::path::PathBuf, text: &str) {
        self.draft.file = Some(file);
        if self.source() == text {
            self.text = Text::Saved;
        }
    }

    /// The text was changed: what was known of the lines holds no longer.
    pub(crate) fn changed(&mut self) {
        self.text = Text::Changed;
        self.code = Code::of(&self.source());
        self.gas.clear();
    }

    /// Takes what a run gave, and goes to the line where it failed.
    pub(crate) fn take(&mut self, ran: Ran, source: &str, now: Timestamp) {
        if self.source() == source {
            self.gas.clear();
            for charge in &ran.charges {
                *self.gas.entry(charge.line).or_default() += charge.gas;
            }
            if let Some(failure) = &ran.outcome.error
                && let Some(line) = failure.line
            {
                let at = |n: usize| u16::try_from(n.saturating_sub(1)).unwrap_or(u16::MAX);
                let column = at(failure.column.unwrap_or(1));
                self.editor.move_cursor(CursorMove::Jump(at(line), column));
            }
        }
        self.scroll = 0;
        self.run = Run::Ended(Box::new(ran.outcome), now);
    }
}
