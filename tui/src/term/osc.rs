//! Sequences to the terminal that are not drawing: the clipboard (OSC 52), notifications (OSC 9), the bell. Wrapped for tmux and screen.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What stands between this process and the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Wrapper {
    #[default]
    None,
    Tmux,
    Screen,
}

impl Wrapper {
    /// Decides from the environment, through `var`.
    pub(crate) fn detect(var: impl Fn(&str) -> Option<String>) -> Self {
        if var("TMUX").is_some_and(|v| !v.is_empty()) {
            Self::Tmux
        } else if var("STY").is_some_and(|v| !v.is_empty())
            || var("TERM").is_some_and(|t| t.starts_with("screen"))
        {
            Self::Screen
        } else {
            Self::None
        }
    }

    fn wrap(self, sequence: &str) -> String {
        match self {
            Self::None => sequence.to_owned(),
            // tmux passes what stands in its own DCS, with every escape doubled.
            Self::Tmux => format!("\x1bPtmux;{}\x1b\\", sequence.replace('\x1b', "\x1b\x1b")),
            // screen passes DCS strings of at most 768 bytes; longer ones go in pieces.
            Self::Screen => {
                let chars: Vec<char> = sequence.chars().collect();
                chars
                    .chunks(250)
                    .map(|c| format!("\x1bP{}\x1b\\", c.iter().collect::<String>()))
                    .collect()
            }
        }
    }
}

/// Puts text into the clipboard of the terminal, which may be far away.
pub(crate) fn copy(text: &str, wrapper: Wrapper) -> String {
    wrapper.wrap(&format!("\x1b]52;c;{}\x07", STANDARD.encode(text)))
}

/// A bell, and a notification where the terminal shows them.
pub(crate) fn notify(text: &str, wrapper: Wrapper) -> String {
    // A control character in the text would end the sequence early.
    let text: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
    format!("\x07{}", wrapper.wrap(&format!("\x1b]9;{text}\x07")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clipboard_sequence_is_wrapped_for_what_stands_between() {
        assert_eq!(copy("ab", Wrapper::None), "\x1b]52;c;YWI=\x07");
        assert_eq!(
            copy("ab", Wrapper::Tmux),
            "\x1bPtmux;\x1b\x1b]52;c;YWI=\x07\x1b\\"
        );
        assert_eq!(copy("ab", Wrapper::Screen), "\x1bP\x1b]52;c;YWI=\x07\x1b\\");
    }

    #[test]
    fn a_notification_cannot_be_ended_by_what_it_says() {
        assert_eq!(notify("a\x07b\x1b]c", Wrapper::None), "\x07\x1b]9;ab]c\x07");
    }
}
