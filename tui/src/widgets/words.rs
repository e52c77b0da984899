//! A line put together from words in roles: what views write instead of spans and styles.

use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use crate::theme::{Look, Tone};

/// Builds one line.
#[derive(Debug, Clone)]
pub(crate) struct Words<'a> {
    look: &'a Look,
    spans: Vec<Span<'static>>,
}

impl<'a> Words<'a> {
    pub(crate) fn new(look: &'a Look) -> Self {
        Self {
            look,
            spans: Vec::new(),
        }
    }

    fn push(mut self, text: impl Into<String>, style: Style) -> Self {
        let text = text.into();
        if !text.is_empty() {
            self.spans.push(Span::styled(text, style));
        }
        self
    }

    pub(crate) fn text(self, text: impl Into<String>) -> Self {
        let style = self.look.text();
        self.push(text, style)
    }

    pub(crate) fn strong(self, text: impl Into<String>) -> Self {
        let style = self.look.strong();
        self.push(text, style)
    }

    /// For headings: strong and bold in every theme.
    pub(crate) fn title(self, text: impl Into<String>) -> Self {
        let style = self.look.strong().add_modifier(Modifier::BOLD);
        self.push(text, style)
    }

    pub(crate) fn dim(self, text: impl Into<String>) -> Self {
        let style = self.look.dim();
        self.push(text, style)
    }

    pub(crate) fn accent(self, text: impl Into<String>) -> Self {
        let style = self.look.accent();
        self.push(text, style)
    }

    pub(crate) fn tone(self, tone: Tone, text: impl Into<String>) -> Self {
        let style = self.look.tone(tone);
        self.push(text, style)
    }

    /// A mark and the word for a state, both in its tone.
    pub(crate) fn state(self, tone: Tone, word: impl AsRef<str>) -> Self {
        let style = self.look.tone(tone);
        self.push(format!("{} {}", tone.mark(), word.as_ref()), style)
    }

    pub(crate) fn gap(self, columns: usize) -> Self {
        self.push(" ".repeat(columns), Style::default())
    }

    pub(crate) fn width(&self) -> usize {
        self.spans.iter().map(Span::width).sum()
    }

    pub(crate) fn line(self) -> Line<'static> {
        Line::from(self.spans)
    }
}

impl From<Words<'_>> for Line<'static> {
    fn from(words: Words<'_>) -> Self {
        words.line()
    }
}
