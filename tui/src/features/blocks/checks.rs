//! What of a block was checked, here or by the ledger's replay, and what does not hold.

use ratatui::text::Line;
use tana_protocol::api::ledger::CheckName;

use super::model::{Finding, Replay, WholeBlock};
use crate::keys::Action;
use crate::model::Model;
use crate::show::clean;
use crate::theme::Tone;
use crate::widgets::Paint;
use crate::widgets::details::labelled;

const ALL_CHECKS: [(CheckName, &str); 6] = [
    (CheckName::Hash, "hash"),
    (CheckName::TxRoot, "root"),
    (CheckName::Signatures, "signed"),
    (CheckName::ProducerSignature, "producer"),
    (CheckName::StateRoot, "state"),
    (CheckName::StateChanges, "changes"),
];

/// The six checks: done here, done by the ledger's replay, or open; and the key that has the open ones done.
pub(super) fn lines(
    model: &Model,
    paint: &Paint<'_>,
    width: u16,
    whole: &WholeBlock,
) -> Vec<Line<'static>> {
    let replay = model.blocks.replayed.get(&whole.block.header.height);
    let mut words = paint.words();
    let mut open = false;
    for (name, word) in ALL_CHECKS {
        let local = whole
            .checks
            .iter()
            .find(|c| c.name == name)
            .map(|c| &c.finding);
        let remote = match replay {
            Some(Replay::Answered(v)) => v.checks.iter().find(|c| c.name == name).map(|c| c.ok),
            _ => None,
        };
        words = match (local, remote) {
            (Some(Finding::Broken(_)), _) | (_, Some(false)) => {
                words.tone(Tone::Bad, format!("× {word}  "))
            }
            (Some(Finding::Holds), _) | (_, Some(true)) => {
                words.tone(Tone::Good, "✓ ").text(format!("{word}  "))
            }
            _ => {
                open = true;
                words.dim(format!("· {word}  "))
            }
        };
    }
    if open {
        words = match replay {
            Some(Replay::Asked) => words.dim("asking the ledger…"),
            _ => words
                .accent(model.keys.key(Action::VerifyBlock))
                .dim(" replays the rest"),
        };
    }
    labelled(paint.look, width, "checked", words)
}

/// What does not hold, a line each.
pub(super) fn trouble(
    model: &Model,
    paint: &Paint<'_>,
    width: u16,
    whole: &WholeBlock,
) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let mut add = |label: &str, tone: Tone, text: &str| {
        lines.extend(labelled(
            paint.look,
            width,
            label,
            paint.words().tone(tone, clean(text)),
        ));
    };
    for check in &whole.checks {
        match &check.finding {
            Finding::Broken(why) => add("broken", Tone::Bad, why),
            Finding::Open(why) => add("open", Tone::Dim, why),
            Finding::Holds => {}
        }
    }
    match model.blocks.replayed.get(&whole.block.header.height) {
        Some(Replay::Answered(v)) => {
            for check in v.checks.iter().filter(|c| !c.ok) {
                add(
                    "broken",
                    Tone::Bad,
                    check
                        .detail
                        .as_deref()
                        .unwrap_or("the ledger's replay differs"),
                );
            }
        }
        Some(Replay::Failed(why)) => add(
            "open",
            Tone::Warn,
            &format!("the ledger did not verify it: {why}"),
        ),
        Some(Replay::Asked) | None => {}
    }
    lines
}
