//! The last step of a frame on a terminal without UTF-8: every cell becomes ASCII, one for one, so that no layout changes.

use ratatui::buffer::Buffer;

/// Replaces every character that is not ASCII. Whatever has no obvious stand-in becomes `?`.
pub(crate) fn transliterate(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if !cell.symbol().is_ascii() {
            let stand_in = stand_in(cell.symbol());
            cell.set_symbol(stand_in);
        }
    }
}

fn stand_in(symbol: &str) -> &'static str {
    match symbol {
        "●" => "*",
        "◐" => "~",
        "×" | "✕" | "✗" => "x",
        "◉" => "@",
        "○" => "o",
        "✓" => "+",
        "─" | "━" | "–" | "—" | "╌" | "‐" => "-",
        "│" | "┃" => "|",
        "╭" | "╮" | "╰" | "╯" | "┌" | "┐" | "└" | "┘" | "├" | "┤" | "┼" | "┬" | "┴" => {
            "+"
        }
        "▌" | "›" | "→" | "▸" => ">",
        "←" | "‹" => "<",
        "↑" => "^",
        "↓" => "v",
        "…" => "~",
        "·" | "•" | "∙" => ".",
        "▁" => "_",
        "▂" => ".",
        "▃" => ":",
        "▄" => "-",
        "▅" => "=",
        "▆" => "+",
        "▇" => "*",
        "█" => "#",
        "“" | "”" | "„" => "\"",
        "‘" | "’" => "'",
        "\u{a0}" => " ",
        _ if symbol
            .chars()
            .next()
            .is_some_and(|c| ('\u{2801}'..='\u{28ff}').contains(&c)) =>
        {
            "."
        }
        "\u{2800}" => " ",
        _ => "?",
    }
}
