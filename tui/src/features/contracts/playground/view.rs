//! Draws the playground: the text with what each line costs before it, and what the last run gave.

use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::Line;
use unicode_width::UnicodeWidthStr as _;

use super::{Entry, Level, Outcome, Playground, Run, Text, Typing};
use crate::features::contracts::update::author;
use crate::keys::Action;
use crate::model::Model;
use crate::show::{clean, count};
use crate::theme::Tone;
use crate::widgets::details::labelled;
use crate::widgets::fold::fold;
use crate::widgets::{Paint, Words};

/// From this width on the results stand beside the text.
const BESIDE: u16 = 120;
/// Columns of gas and line number before a line.
const GUTTER: u16 = 13;

pub(crate) fn draw(model: &Model, playground: &Playground, area: Rect, paint: &mut Paint<'_>) {
    let typing = playground.typing == Typing::On;
    if area.width >= BESIDE {
        let left = area.width * 3 / 5;
        let text = Rect {
            width: left,
            ..area
        };
        let results = Rect {
            x: area.x + left + 1,
            width: area.width - left - 1,
            ..area
        };
        write(playground, text, paint);
        ran(model, playground, results, paint);
        return;
    }
    // Too small for both: what one is about.
    if area.height < 14 {
        if typing || playground.run == Run::Never {
            write(playground, area, paint);
        } else {
            ran(model, playground, area, paint);
        }
        return;
    }
    let above = if typing {
        area.height * 2 / 3
    } else {
        area.height / 2
    };
    write(
        playground,
        Rect {
            height: above,
            ..area
        },
        paint,
    );
    let results = Rect {
        y: area.y + above,
        height: area.height - above,
        ..area
    };
    ran(model, playground, results, paint);
}

fn write(playground: &Playground, area: Rect, paint: &mut Paint<'_>) {
    let mut name = clean(playground.name());
    if area.width >= 50 && !playground.gas.is_empty() {
        name.push_str(", gas by line");
    }
    let place = match (playground.file(), playground.text) {
        (Some(file), Text::Saved) => paint.words().dim(clean(&file.display().to_string())),
        (Some(file), Text::Changed) => paint
            .words()
            .dim(clean(&file.display().to_string()))
            .tone(Tone::Warn, " changed"),
        (None, Text::Saved) => paint.words().dim("a copy, in no file"),
        (None, Text::Changed) => paint.words().tone(Tone::Warn, "in no file yet"),
    };
    paint.rule(Rect { height: 1, ..area }, &name, &place.line());
    let area = Rect {
        y: area.y + 1,
        height: area.height.saturating_sub(1),
        ..area
    };
    let cursor = playground.editor.cursor();
    let (row, column) = (cursor.0, cursor.1);
    let lines = playground.editor.lines();
    let first = crate::widgets::grid::first_row(
        crate::widgets::grid::Rows {
            count: lines.len(),
            selected: Some(row),
        },
        usize::from(area.height),
    );
    let gutter = if area.width >= 50 { GUTTER } else { 5 };
    let room = area.width.saturating_sub(gutter + 2);
    // Where the cursor stands in the line as it is drawn, and from which column on lines are drawn.
    let at = lines.get(row).map_or(0, |line| {
        let before: String = line.chars().take(column).collect();
        clean(&before).width()
    });
    let from = (at + 1).saturating_sub(usize::from(room));
    let failed = match &playground.run {
        Run::Ended(outcome, _) => outcome.error.as_ref().and_then(|e| e.line),
        _ => None,
    };
    for (y, i) in (area.y..area.bottom()).zip(first..lines.len()) {
        let mut before = paint.words();
        if gutter == GUTTER {
            let gas = playground.gas.get(&(i + 1));
            let gas = gas.map_or_else(String::new, |gas| count(*gas));
            before = before.dim(format!("{gas:>7} "));
        }
        let number = format!("{:>4}", i + 1);
        before = if failed == Some(i + 1) {
            before.tone(Tone::Bad, number)
        } else {
            before.dim(number)
        };
        paint.line(area.x, y, gutter, &before.line());
        let line = shifted(playground.code.line(paint.look, i), from);
        paint.line(area.x + gutter, y, room + 1, &line);
        if i == row && playground.typing == Typing::On {
            let x = area.x + gutter + u16::try_from(at - from).unwrap_or(0);
            if let Some(cell) = paint.buf.cell_mut((x, y)) {
                cell.modifier.insert(Modifier::REVERSED);
            }
        }
    }
}

/// A line without its first columns.
fn shifted(mut line: Line<'static>, mut columns: usize) -> Line<'static> {
    for span in &mut line.spans {
        if columns == 0 {
            break;
        }
        let mut cut = 0;
        for c in span.content.chars() {
            if columns == 0 {
                break;
            }
            columns = columns.saturating_sub(c.to_string().width().max(1));
            cut += c.len_utf8();
        }
        span.content = span.content[cut..].to_owned().into();
    }
    line
}

fn ran(model: &Model, playground: &Playground, area: Rect, paint: &mut Paint<'_>) {
    let right = match &playground.run {
        Run::Ended(_, at) => paint.words().dim(format!("ran {}", model.clock.time(*at))),
        _ => paint.words(),
    };
    paint.rule(Rect { height: 1, ..area }, "run", &right.line());
    let area = Rect {
        x: area.x + 1,
        y: area.y + 1,
        width: area.width.saturating_sub(2),
        height: area.height.saturating_sub(1),
    };
    let look = paint.look;
    let words = || Words::new(look);
    let key = |action| model.keys.key(action);
    let mut lines = Vec::new();
    let mut how = words().text(match playground.entry {
        Entry::Auto => "contract(), or the script",
        Entry::Init => "init()",
        Entry::Contract => "contract()",
        Entry::Get => "get(req)",
        Entry::Post => "post(req, body)",
    });
    how = how.gap(2).accent(key(Action::RunEntry)).dim(" another");
    lines.extend(labelled(look, area.width, "calls", how));
    let given = playground.input.as_ref();
    let given = given.map_or_else(|| "nothing".to_owned(), |input| clean(&input.to_string()));
    let input = words()
        .text(given)
        .gap(2)
        .accent(key(Action::RunInput))
        .dim(" changes it");
    lines.extend(labelled(look, area.width, "input", input));
    let by = words()
        .text(author(model, playground).to_string())
        .gap(2)
        .accent(key(Action::NextAuthor))
        .dim(" another");
    lines.extend(labelled(look, area.width, "deploys", by));
    lines.push(Line::default());
    match &playground.run {
        Run::Never => lines.push(
            words()
                .accent(key(Action::RunContract))
                .dim(" runs it here, on no chain")
                .line(),
        ),
        Run::Running => lines.push(words().dim("running…").line()),
        Run::Failed(why) => lines.push(words().tone(Tone::Bad, clean(why)).line()),
        Run::Ended(outcome, _) => lines.extend(results(outcome, area.width, look)),
    }
    let lines: Vec<Line<'static>> = lines
        .into_iter()
        .flat_map(|line| fold(line, usize::from(area.width.max(1))))
        .collect();
    let most = lines.len().saturating_sub(usize::from(area.height));
    paint.lines(area, &lines[playground.scroll.min(most)..]);
}

fn results(outcome: &Outcome, width: u16, look: &crate::theme::Look) -> Vec<Line<'static>> {
    let words = || Words::new(look);
    let mut lines = Vec::new();
    let ended = match &outcome.error {
        None => words().state(Tone::Good, "done"),
        Some(error) => words().state(Tone::Bad, clean(&error.code)),
    };
    let ended = ended.dim(format!(
        "   gas {}   {}.{} ms",
        count(outcome.gas_used),
        outcome.usage.wall_us / 1000,
        outcome.usage.wall_us / 100 % 10
    ));
    lines.push(ended.line());
    if let Some(error) = &outcome.error {
        let text = clean(&error.to_string());
        lines.push(words().tone(Tone::Bad, text).line());
    }
    if !outcome.logs.is_empty() {
        lines.push(Line::default());
        lines.push(words().dim("printed").line());
        for log in &outcome.logs {
            let tone = match log.level {
                Level::Log => Tone::Plain,
                Level::Error => Tone::Warn,
            };
            let texts = log.text.lines();
            lines.extend(texts.map(|text| words().tone(tone, clean(text)).line()));
        }
    }
    let answer = outcome.response.as_ref().unwrap_or(&outcome.result);
    if !answer.is_null() {
        lines.push(Line::default());
        lines.push(words().dim("result").line());
        let text = serde_json::to_string_pretty(answer).unwrap_or_default();
        lines.extend(text.lines().map(|text| words().strong(clean(text)).line()));
    }
    lines.push(Line::default());
    if outcome.changes.is_empty() {
        lines.push(words().dim("changes nothing").line());
        return lines;
    }
    lines.push(words().dim("would change").line());
    for change in &outcome.changes {
        let label = match change {
            super::Change::Transfer { .. } => "transfer",
            super::Change::BalanceUpdate { .. } => "balance",
            super::Change::DataUpdate { .. } => "stored",
        };
        let value = words().text(clean(&change.to_string()));
        lines.extend(labelled(look, width, label, value));
    }
    lines
}
