//! What things look like: a theme gives each role a colour, a `Look` turns a role into a style this terminal can show.
//! Loading theme files lives in `load`, finding out what the terminal can do in `caps`. Nothing here draws.

pub(crate) mod ascii;
pub(crate) mod caps;
pub(crate) mod load;

use ratatui::style::{Color, Modifier, Style};

pub(crate) use caps::{Caps, Charset, Depth};
pub(crate) use load::Themes;

/// What a piece of text is for. Views name roles, never colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Background,
    Text,
    Strong,
    Dim,
    Line,
    Accent,
    Good,
    Warn,
    Bad,
    Selection,
}

impl Role {
    pub(crate) const ALL: [Self; 10] = [
        Self::Background,
        Self::Text,
        Self::Strong,
        Self::Dim,
        Self::Line,
        Self::Accent,
        Self::Good,
        Self::Warn,
        Self::Bad,
        Self::Selection,
    ];

    /// The key in a theme file.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Background => "background",
            Self::Text => "text",
            Self::Strong => "strong",
            Self::Dim => "dim",
            Self::Line => "line",
            Self::Accent => "accent",
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Selection => "selection",
        }
    }
}

/// One colour, as written in a theme file.
pub(crate) type Rgb = (u8, u8, u8);

/// Colours by role, for terminals with many colours and with sixteen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Theme {
    pub(crate) name: String,
    /// Dark text on a light ground: decides how a QR code is drawn without colour.
    pub(crate) light: bool,
    /// In the order of [`Role::ALL`]; `None` for a theme that keeps to the terminal's own sixteen.
    pub(crate) colors: Option<[Rgb; 10]>,
    /// In the order of [`Role::ALL`].
    pub(crate) ansi: [Color; 10],
}

/// A theme on a terminal: the only thing a view asks for styles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) theme: Theme,
    pub(crate) caps: Caps,
}

impl Look {
    pub(crate) fn new(theme: Theme, caps: Caps) -> Self {
        Self { theme, caps }
    }

    fn color(&self, role: Role) -> Color {
        let slot = role as usize;
        match (self.caps.depth, self.theme.colors) {
            (Depth::None, _) => Color::Reset,
            (Depth::Ansi16, _) | (_, None) => self.theme.ansi[slot],
            (Depth::Ansi256, Some(colors)) => Color::Indexed(nearest_256(colors[slot])),
            (Depth::True, Some(colors)) => {
                let (r, g, b) = colors[slot];
                Color::Rgb(r, g, b)
            }
        }
    }

    /// The whole screen's ground.
    pub(crate) fn base(&self) -> Style {
        match self.caps.depth {
            Depth::None => Style::default(),
            _ => Style::default()
                .fg(self.color(Role::Text))
                .bg(self.color(Role::Background)),
        }
    }

    /// The style of a role. Without colour, weight stands in for it; a glyph or a word says the rest.
    pub(crate) fn style(&self, role: Role) -> Style {
        if self.caps.depth == Depth::None {
            return match role {
                Role::Strong | Role::Accent | Role::Warn | Role::Bad => {
                    Style::default().add_modifier(Modifier::BOLD)
                }
                Role::Line => Style::default().add_modifier(Modifier::DIM),
                _ => Style::default(),
            };
        }
        match role {
            Role::Selection => Style::default().bg(self.color(Role::Selection)),
            Role::Background => self.base(),
            _ => Style::default().fg(self.color(role)),
        }
    }

    pub(crate) fn text(&self) -> Style {
        self.style(Role::Text)
    }

    pub(crate) fn strong(&self) -> Style {
        self.style(Role::Strong)
    }

    pub(crate) fn dim(&self) -> Style {
        self.style(Role::Dim)
    }

    pub(crate) fn line(&self) -> Style {
        self.style(Role::Line)
    }

    pub(crate) fn accent(&self) -> Style {
        self.style(Role::Accent)
    }

    /// The row under the cursor.
    pub(crate) fn selection(&self) -> Style {
        self.style(Role::Selection)
    }

    pub(crate) fn tone(&self, tone: Tone) -> Style {
        match tone {
            Tone::Plain => self.text(),
            Tone::Dim => self.dim(),
            Tone::Good => self.style(Role::Good),
            Tone::Warn => self.style(Role::Warn),
            Tone::Bad => self.style(Role::Bad),
            Tone::Accent => self.accent(),
        }
    }

    pub(crate) fn ascii(&self) -> bool {
        self.caps.charset == Charset::Ascii
    }
}

/// How much attention something wants. Always shown with a glyph or a word as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tone {
    Plain,
    Dim,
    Accent,
    Good,
    Warn,
    Bad,
}

impl Tone {
    /// The mark in front of a state.
    pub(crate) fn mark(self) -> &'static str {
        match self {
            Self::Good => "●",
            Self::Warn => "◐",
            Self::Bad => "×",
            Self::Accent => "◉",
            Self::Plain | Self::Dim => "○",
        }
    }
}

/// Nearest colour of the 6×6×6 cube or the grey ramp; never one of the first sixteen, which users repaint.
fn nearest_256((r, g, b): Rgb) -> u8 {
    const STEPS: [i32; 6] = [0, 95, 135, 175, 215, 255];
    let near = |v: u8| -> (u8, i32) {
        let mut best = (0_u8, STEPS[0]);
        for (i, step) in (0_u8..).zip(STEPS) {
            if (step - i32::from(v)).abs() < (best.1 - i32::from(v)).abs() {
                best = (i, step);
            }
        }
        best
    };
    let far = |x: (i32, i32, i32)| {
        let (dr, dg, db) = (x.0 - i32::from(r), x.1 - i32::from(g), x.2 - i32::from(b));
        dr * dr + dg * dg + db * db
    };
    let (cr, cg, cb) = (near(r), near(g), near(b));
    let cube = 16 + 36 * cr.0 + 6 * cg.0 + cb.0;
    let mean = (i32::from(r) + i32::from(g) + i32::from(b)) / 3;
    let step = ((mean - 8 + 5) / 10).clamp(0, 23);
    let grey = 8 + step * 10;
    if far((grey, grey, grey)) < far((cr.1, cg.1, cb.1)) {
        232 + u8::try_from(step).unwrap_or(0)
    } else {
        cube
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_256_colour_match_is_the_nearest_and_never_one_that_users_repaint() {
        assert_eq!(nearest_256((0, 0, 0)), 16);
        assert_eq!(nearest_256((255, 255, 255)), 231);
        assert_eq!(nearest_256((255, 0, 0)), 196);
        assert_eq!(nearest_256((118, 118, 118)), 243);
    }

    #[test]
    fn without_colour_no_style_carries_one() {
        let look = Look::new(
            Themes::builtin().default_for(false),
            Caps {
                depth: Depth::None,
                ..Caps::default()
            },
        );
        for role in Role::ALL {
            let style = look.style(role);
            assert_eq!((style.fg, style.bg), (None, None), "{role:?}");
        }
        assert_eq!(look.base(), Style::default());
    }

    #[test]
    fn a_theme_without_colours_of_its_own_keeps_to_the_terminals() {
        let theme = Themes::builtin().get("terminal").expect("it is built in");
        for depth in [Depth::True, Depth::Ansi256, Depth::Ansi16] {
            let caps = Caps {
                depth,
                ..Caps::default()
            };
            let look = Look::new(theme.clone(), caps);
            assert_eq!(look.style(Role::Warn).fg, Some(Color::Yellow), "{depth:?}");
            assert_eq!(look.base().bg, Some(Color::Reset), "{depth:?}");
        }
    }
}
