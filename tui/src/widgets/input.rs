//! One line of typed text, for the palette and the filter. The cursor is drawn, the terminal's own stays hidden.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

use zeroize::{Zeroize as _, Zeroizing};

use crate::theme::Look;

/// Longer input is not taken.
const MOST: usize = 500;

/// Text and where the cursor stands in it, in characters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Input {
    text: Vec<char>,
    cursor: usize,
}

impl Input {
    pub(crate) fn new(text: &str) -> Self {
        let text: Vec<char> = text.chars().take(MOST).collect();
        Self {
            cursor: text.len(),
            text,
        }
    }

    pub(crate) fn text(&self) -> String {
        self.text.iter().collect()
    }

    /// The text as a secret; what was typed is zeroed.
    pub(crate) fn into_secret(mut self) -> Zeroizing<String> {
        let secret = Zeroizing::new(self.text());
        self.text.zeroize();
        secret
    }

    /// As many marks as characters were typed.
    pub(crate) fn masked(&self, look: &Look) -> Line<'static> {
        let marks = "•".repeat(self.text.len());
        Line::from(vec![
            Span::styled(marks, look.strong()),
            Span::styled(" ", look.strong().add_modifier(Modifier::REVERSED)),
        ])
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Takes a key if it edits. Answers whether it did.
    pub(crate) fn key(&mut self, key: KeyEvent) -> bool {
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('u') if ctrl => {
                self.text.drain(..self.cursor);
                self.cursor = 0;
            }
            KeyCode::Char('w') if ctrl => {
                let mut start = self.cursor;
                while start > 0 && self.text[start - 1] == ' ' {
                    start -= 1;
                }
                while start > 0 && self.text[start - 1] != ' ' {
                    start -= 1;
                }
                self.text.drain(start..self.cursor);
                self.cursor = start;
            }
            KeyCode::Char('a') if ctrl => self.cursor = 0,
            KeyCode::Char('e') if ctrl => self.cursor = self.text.len(),
            KeyCode::Char(c)
                if !ctrl && !c.is_control() && !key.modifiers.contains(KeyModifiers::ALT) =>
            {
                self.insert(c);
            }
            KeyCode::Backspace if self.cursor > 0 => {
                self.cursor -= 1;
                self.text.remove(self.cursor);
            }
            KeyCode::Delete if self.cursor < self.text.len() => {
                self.text.remove(self.cursor);
            }
            KeyCode::Left => self.cursor = self.cursor.saturating_sub(1),
            KeyCode::Right => self.cursor = (self.cursor + 1).min(self.text.len()),
            KeyCode::Home => self.cursor = 0,
            KeyCode::End => self.cursor = self.text.len(),
            _ => return false,
        }
        true
    }

    pub(crate) fn paste(&mut self, text: &str) {
        for c in text.chars().filter(|c| !c.is_control()) {
            self.insert(c);
        }
    }

    fn insert(&mut self, c: char) {
        if self.text.len() < MOST {
            self.text.insert(self.cursor, c);
            self.cursor += 1;
        }
    }

    /// The text with its cursor, the part around the cursor where it is wider than `width`.
    pub(crate) fn line(&self, look: &Look, width: usize) -> Line<'static> {
        let start = self.cursor.saturating_sub(width.saturating_sub(2));
        let at = |i: usize| self.text.get(i).copied().unwrap_or(' ');
        let before: String = self.text[start..self.cursor].iter().collect();
        let after: String = self.text.iter().skip(self.cursor + 1).collect();
        Line::from(vec![
            Span::styled(before, look.strong()),
            Span::styled(
                at(self.cursor).to_string(),
                look.strong().add_modifier(Modifier::REVERSED),
            ),
            Span::styled(after, look.strong()),
        ])
    }
}
