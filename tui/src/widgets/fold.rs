//! A line over as many rows as it needs. Nothing that details say is cut: a hash that lacks its end is no hash.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthChar as _;

type Styled = (char, Style);

/// Breaks at blanks, rather where two or more stand, which is between things that belong together; a word that is wider than a row
/// is cut into even parts. Every part keeps its style.
pub(crate) fn fold(line: Line<'static>, width: usize) -> Vec<Line<'static>> {
    if line.width() <= width {
        return vec![line];
    }
    let width = width.max(1);
    let mut rest: Vec<Styled> = line
        .spans
        .iter()
        .flat_map(|span| span.content.chars().map(move |c| (c, span.style)))
        .collect();
    let mut rows = Vec::new();
    while columns(&rest) > width {
        let at = cut(&rest, width);
        let tail = rest.split_off(at);
        rows.push(joined(&rest));
        rest = tail.into_iter().skip_while(|(c, _)| *c == ' ').collect();
    }
    if !rest.is_empty() {
        rows.push(joined(&rest));
    }
    rows
}

fn columns(text: &[Styled]) -> usize {
    text.iter().map(|(c, _)| c.width().unwrap_or(0)).sum()
}

/// How many characters the first row takes.
fn cut(text: &[Styled], width: usize) -> usize {
    let mut used = 0;
    let fits = text
        .iter()
        .take_while(|(c, _)| {
            used += c.width().unwrap_or(0);
            used <= width
        })
        .count()
        .max(1);
    let blank = |i: usize| text.get(i).is_some_and(|(c, _)| *c == ' ');
    let ends_word = |i: usize| i > 0 && blank(i) && !blank(i - 1);
    let between = |i: &usize| blank(i + 1);
    let last = (1..=fits).rev().find(|i| ends_word(*i));
    let apart = (fits / 2..=fits)
        .rev()
        .find(|i| ends_word(*i) && between(i));
    if let Some(at) = apart.or(last) {
        return at;
    }
    // One word wider than the row.
    let word = text.iter().take_while(|(c, _)| *c != ' ').count();
    let parts = word.div_ceil(fits);
    word.div_ceil(parts).clamp(1, fits)
}

fn joined(text: &[Styled]) -> Line<'static> {
    let end = text
        .iter()
        .rposition(|(c, _)| *c != ' ')
        .map_or(0, |i| i + 1);
    let mut spans: Vec<Span<'static>> = Vec::new();
    for (c, style) in &text[..end] {
        match spans.last_mut() {
            Some(span) if span.style == *style => span.content.to_mut().push(*c),
            _ => spans.push(Span::styled(c.to_string(), *style)),
        }
    }
    Line::from(spans)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::Color;

    fn rows(text: &str, width: usize) -> Vec<String> {
        fold(Line::from(text.to_owned()), width)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn it_breaks_at_blanks_and_a_long_word_in_even_parts() {
        assert_eq!(rows("one two three", 7), ["one two", "three"]);
        assert_eq!(
            rows("✓ hash  · root  ✓ signed", 18),
            ["✓ hash  · root", "✓ signed"]
        );
        let hash = "0123456789abcdef".repeat(4);
        assert_eq!(rows(&hash, 63), [&hash[..32], &hash[32..]]);
        assert_eq!(rows(&hash, 64), [hash.as_str()]);
        assert_eq!(rows("abc", 0), ["a", "b", "c"]);
    }

    #[test]
    fn nothing_is_lost_and_styles_stay() {
        let red = Style::new().fg(Color::Red);
        let line = Line::from(vec![Span::raw("plain "), Span::styled("redder", red)]);
        let folded = fold(line, 6);
        assert_eq!(folded.len(), 2);
        assert_eq!(folded[1].spans[0].style, red);
        assert_eq!(folded[1].to_string(), "redder");
    }
}
