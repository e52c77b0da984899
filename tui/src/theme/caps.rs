//! What this terminal can show, decided from values of the environment that are handed in. Reading them is `tana-home`'s and `console`'s.

/// How many colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Depth {
    /// `NO_COLOR` is set, or the terminal has none.
    None,
    Ansi16,
    Ansi256,
    #[default]
    True,
}

/// Which characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Charset {
    #[default]
    Unicode,
    Ascii,
}

/// Whether the terminal's own ground is known to be light.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Ground {
    #[default]
    Dark,
    Light,
}

/// What this terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Caps {
    pub(crate) depth: Depth,
    pub(crate) charset: Charset,
    pub(crate) ground: Ground,
}

impl Caps {
    /// Decides from the environment, through `var` so that it can be tested.
    pub(crate) fn detect(var: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| var(name).filter(|v| !v.is_empty());
        let term = set("TERM").unwrap_or_default();
        let color_term = set("COLORTERM").unwrap_or_default();
        let depth = if set("NO_COLOR").is_some()
            || term == "dumb"
            || term.ends_with("-m")
            || term.starts_with("vt1")
        {
            Depth::None
        } else if color_term == "truecolor" || color_term == "24bit" || term.ends_with("-direct") {
            Depth::True
        } else if term.contains("256color") || !color_term.is_empty() {
            Depth::Ansi256
        } else {
            Depth::Ansi16
        };
        // The first of these that is set decides, as setlocale(3) does.
        let locale = set("LC_ALL")
            .or_else(|| set("LC_CTYPE"))
            .or_else(|| set("LANG"));
        let utf8 = match &locale {
            Some(name) => {
                let name = name.to_ascii_lowercase();
                name.contains("utf-8") || name.contains("utf8")
            }
            // No locale at all: containers and cron. A terminal without one is UTF-8 today, except the kernel's own.
            None => term != "linux",
        };
        let charset = if utf8 && term != "dumb" {
            Charset::Unicode
        } else {
            Charset::Ascii
        };
        // rxvt, konsole and others say `foreground;background` as indices of the sixteen colours.
        let ground = match set("COLORFGBG")
            .as_deref()
            .and_then(|v| v.rsplit(';').next())
            .and_then(|v| v.parse::<u8>().ok())
        {
            Some(7 | 15) => Ground::Light,
            _ => Ground::Dark,
        };
        Self {
            depth,
            charset,
            ground,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caps(vars: &[(&str, &str)]) -> Caps {
        Caps::detect(|name| {
            vars.iter()
                .find(|(k, _)| *k == name)
                .map(|(_, v)| (*v).to_owned())
        })
    }

    #[test]
    fn colour_follows_the_terminal_and_no_color_wins() {
        assert_eq!(
            caps(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")]).depth,
            Depth::True
        );
        assert_eq!(caps(&[("TERM", "xterm-256color")]).depth, Depth::Ansi256);
        assert_eq!(caps(&[("TERM", "xterm")]).depth, Depth::Ansi16);
        assert_eq!(caps(&[("TERM", "dumb")]).depth, Depth::None);
        assert_eq!(
            caps(&[
                ("TERM", "xterm-256color"),
                ("COLORTERM", "truecolor"),
                ("NO_COLOR", "1")
            ])
            .depth,
            Depth::None
        );
        assert_eq!(
            caps(&[("TERM", "xterm-256color"), ("NO_COLOR", "")]).depth,
            Depth::Ansi256,
            "empty does not count"
        );
    }

    #[test]
    fn ascii_where_the_locale_is_not_utf_8() {
        assert_eq!(caps(&[("LANG", "C")]).charset, Charset::Ascii);
        assert_eq!(
            caps(&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "C")]).charset,
            Charset::Ascii
        );
        assert_eq!(
            caps(&[("LANG", "C"), ("LC_ALL", "C.utf8")]).charset,
            Charset::Unicode
        );
        assert_eq!(caps(&[("TERM", "xterm")]).charset, Charset::Unicode);
        assert_eq!(caps(&[("TERM", "linux")]).charset, Charset::Ascii);
    }

    #[test]
    fn a_light_ground_is_believed() {
        assert_eq!(caps(&[("COLORFGBG", "0;15")]).ground, Ground::Light);
        assert_eq!(caps(&[("COLORFGBG", "15;default;0")]).ground, Ground::Dark);
    }
}
