//! TypeScript in colours: what is a word of the language, a text, a number, a remark. Few shades, so that a source stays
//! as calm as the rest of the screen.

use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use synoptic::{Highlighter, TokOpt};

use crate::show::clean;
use crate::theme::Look;

/// Columns that a tab stands for.
const TAB: usize = 2;
/// Lines longer than this are shown plain: nobody writes them, and matching them would take long.
const LONGEST: usize = 2000;
/// Sources with more lines than this are shown plain.
const MOST_LINES: usize = 5000;

/// What a piece of source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    Plain,
    /// A word of the language.
    Word,
    /// A type, or the name of something that is called.
    Name,
    Text,
    Number,
    Remark,
}

/// A source, taken apart once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Code {
    lines: Vec<Vec<(Ink, String)>>,
}

impl Code {
    pub(crate) fn of(source: &str) -> Self {
        let lines: Vec<String> = source.lines().map(clean).collect();
        let plain = lines.len() > MOST_LINES || lines.iter().any(|line| line.len() > LONGEST);
        if plain {
            let whole = |line: String| vec![(Ink::Plain, line)];
            return Self {
                lines: lines.into_iter().map(whole).collect(),
            };
        }
        let mut highlighter = typescript();
        highlighter.run(&lines);
        let parts = |(y, line): (usize, &String)| {
            let parts = highlighter.line(y, line).into_iter();
            parts
                .map(|part| match part {
                    TokOpt::Some(text, name) => (ink(&name), text),
                    TokOpt::None(text) => (Ink::Plain, text),
                })
                .collect()
        };
        Self {
            lines: lines.iter().enumerate().map(parts).collect(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    /// A line, from 0; an empty one past the end.
    pub(crate) fn line(&self, look: &Look, at: usize) -> Line<'static> {
        let parts = self.lines.get(at).into_iter().flatten();
        let spans = parts.map(|(ink, text)| Span::styled(text.clone(), style(look, *ink)));
        Line::from(spans.collect::<Vec<_>>())
    }
}

fn ink(name: &str) -> Ink {
    match name {
        "word" => Ink::Word,
        "name" => Ink::Name,
        "text" => Ink::Text,
        "number" => Ink::Number,
        "remark" => Ink::Remark,
        _ => Ink::Plain,
    }
}

fn style(look: &Look, ink: Ink) -> Style {
    match ink {
        Ink::Plain => look.text(),
        Ink::Word => look.accent(),
        Ink::Name => look.strong(),
        Ink::Text | Ink::Number => look.text().add_modifier(Modifier::ITALIC),
        Ink::Remark => look.dim(),
    }
}

/// The rules. What comes first wins where two begin at one place.
fn typescript() -> Highlighter {
    let mut rules = Highlighter::new(TAB);
    rules.bounded("remark", "/\\*", "\\*/", false);
    rules.keyword("remark", "//.*$");
    rules.bounded("text", "\"", "\"", true);
    rules.bounded("text", "'", "'", true);
    rules.bounded_interp("text", "`", "`", "\\$\\{", "\\}", true);
    // What stands after a dot is a member's name, whatever it is called.
    rules.keyword("member", r"\.([A-Za-z_$][A-Za-z0-9_$]*)");
    rules.keyword(
        "word",
        r"\b(abstract|as|asserts|async|await|break|case|catch|class|const|constructor|continue|declare|default|delete|do|else|enum|export|extends|false|finally|for|from|function|get|if|implements|import|in|infer|instanceof|interface|is|keyof|let|namespace|new|null|of|private|protected|public|readonly|return|satisfies|set|static|super|switch|this|throw|true|try|type|typeof|undefined|var|void|while|yield)\b",
    );
    rules.keyword(
        "number",
        r"\b(0[xX][0-9a-fA-F_]+n?|\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?n?)\b",
    );
    rules.keyword("name", r"\b([A-Za-z_$][A-Za-z0-9_$]*)\s*\(");
    rules.keyword("name", r"\b([A-Z][A-Za-z0-9_]*)\b");
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inks(source: &str) -> Vec<(Ink, String)> {
        let whole = Code::of(source).lines.concat();
        // Neighbours of one kind are one piece.
        let mut joined: Vec<(Ink, String)> = Vec::new();
        for (ink, text) in whole {
            match joined.last_mut() {
                Some((last, so_far)) if *last == ink => so_far.push_str(&text),
                _ => joined.push((ink, text)),
            }
        }
        joined
    }

    #[test]
    fn words_names_texts_numbers_and_remarks_are_told_apart() {
        let found = inks("export const a = greet(\"b\", 12) / 2; // why");
        let kinds = |ink: Ink| {
            let of = found.iter().filter(|(kind, _)| *kind == ink);
            of.map(|(_, text)| text.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(kinds(Ink::Word), ["export", "const"]);
        assert_eq!(kinds(Ink::Name), ["greet"]);
        assert_eq!(kinds(Ink::Text), ["\"b\""]);
        assert_eq!(kinds(Ink::Number), ["12", "2"], "a division is no pattern");
        assert_eq!(kinds(Ink::Remark), ["// why"]);
        let member = inks("data.set(await data.get)");
        let words = member.iter().filter(|(kind, _)| *kind == Ink::Word);
        let words: Vec<&str> = words.map(|(_, text)| text.as_str()).collect();
        assert_eq!(words, ["await"], "set and get are members here");
    }

    #[test]
    fn nothing_of_a_source_is_lost_and_a_remark_spans_lines() {
        let source = "/* one\ntwo */ let a = `x ${y} z`;\n\tf('ü')";
        let code = Code::of(source);
        let look = crate::model::fixture::empty(crate::theme::Caps::default()).look;
        let shown: Vec<String> = (0..3).map(|i| code.line(&look, i).to_string()).collect();
        assert_eq!(shown, ["/* one", "two */ let a = `x ${y} z`;", "  f('ü')"]);
        assert_eq!(code.lines[0], [(Ink::Remark, "/* one".to_owned())]);
        assert_eq!(code.line(&look, 9).to_string(), "");
    }

    #[test]
    fn a_source_made_to_hurt_is_shown_and_nothing_worse() {
        let bad = [
            "`${".repeat(600),
            "\"\\".repeat(900),
            "/*".repeat(900) + "\n" + &"*/".repeat(900),
            "ü`${`".repeat(200),
            "'".repeat(1999),
            "(".repeat(300_000),
            "\u{1b}[31m\n\u{202e}x".to_owned(),
            "`\n".repeat(4000),
        ];
        for source in bad {
            let code = Code::of(&source);
            assert_eq!(code.len(), source.lines().count());
        }
    }
}
