//! `tana check`: what is wrong on this machine, with what to do about each. Looks, changes nothing.

mod keys;
mod machine;
mod running;

use serde::Serialize;

use super::context::Context;
use super::exit::Exit;
use super::output::{Side, Table};

/// How a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Weight {
    Ok,
    /// Works, and should be looked at.
    Warning,
    /// Does not work like this.
    Wrong,
}

impl Weight {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Wrong => "wrong",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Finding {
    /// For programs, such as `no-chain`.
    code: &'static str,
    weight: Weight,
    says: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    todo: Option<String>,
}

impl Finding {
    pub(crate) fn ok(code: &'static str, says: impl Into<String>) -> Self {
        Self {
            code,
            weight: Weight::Ok,
            says: says.into(),
            todo: None,
        }
    }

    pub(crate) fn warning(
        code: &'static str,
        says: impl Into<String>,
        todo: impl Into<String>,
    ) -> Self {
        Self {
            code,
            weight: Weight::Warning,
            says: says.into(),
            todo: Some(todo.into()),
        }
    }

    pub(crate) fn wrong(
        code: &'static str,
        says: impl Into<String>,
        todo: impl Into<String>,
    ) -> Self {
        Self {
            weight: Weight::Wrong,
            ..Self::warning(code, says, todo)
        }
    }
}

pub(crate) async fn execute(context: &Context) -> anyhow::Result<Exit> {
    let view = match context.is_remote() {
        true => None,
        false => super::status::running(&context.node()?).await,
    };
    let mut findings = keys::look(context);
    findings.extend(machine::look(context, view.is_some()).await);
    findings.extend(running::look(context, view.as_ref()).await);
    let wrong = findings.iter().any(|f| f.weight == Weight::Wrong);
    context.out.show(&findings, || {
        let mut table = Table::new(&[
            ("check", Side::Left),
            ("is", Side::Left),
            ("because", Side::Left),
        ]);
        for finding in &findings {
            table.row([
                finding.code.to_owned(),
                finding.weight.as_str().to_owned(),
                finding.says.clone(),
            ]);
        }
        table.text(context.out)
    })?;
    for finding in &findings {
        if let Some(todo) = &finding.todo {
            context
                .out
                .hint(&format!("{}: {}", finding.code, crate::show::clean(todo)))?;
        }
    }
    Ok(if wrong { Exit::Failed } else { Exit::Done })
}
