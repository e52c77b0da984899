//! Themes from TOML: some built in, any number from `TANA_HOME/themes`. A file that is wrong is skipped with a sentence that says what and where.

use std::path::Path;

use ratatui::style::Color;
use serde::Deserialize;

use super::{Rgb, Role, Theme};

/// Includes the themes of the repository, by the names of their files.
macro_rules! builtin {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../../../themes/", $name, ".toml")))),+]
    };
}

/// In the order in which `t` goes through them: the first dark and the first light one are the defaults.
const BUILTIN: [(&str, &str); 8] = builtin![
    "tana-dark",
    "tana-light",
    "high-contrast",
    "colour-blind",
    "colour-blind-light",
    "night",
    "paper",
    "terminal",
];

/// A theme file is a page; anything larger is not one.
const MAX_FILE: u64 = 64 * 1024;

/// Every theme there is, in the order in which `t` goes through them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Themes {
    list: Vec<Theme>,
}

/// Why a theme file was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ThemeError {
    #[error("{0}")]
    Toml(String),
    #[error("it has neither [colors] nor [ansi]; copy one of the built-in themes to begin with")]
    Empty,
    #[error("[{table}] {key} is missing; write it as {hint}")]
    Missing {
        table: &'static str,
        key: &'static str,
        hint: &'static str,
    },
    #[error("[{table}] {key} = \"{value}\" is not a colour; write it as {hint}")]
    Colour {
        table: &'static str,
        key: &'static str,
        value: String,
        hint: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    #[serde(default)]
    light: bool,
    #[serde(default)]
    colors: Option<toml::Table>,
    #[serde(default)]
    ansi: Option<toml::Table>,
}

impl Themes {
    /// The ones compiled in.
    pub(crate) fn builtin() -> Self {
        let list = BUILTIN
            .iter()
            .map(|(name, text)| {
                parse(text).unwrap_or_else(|e| unreachable!("built-in theme {name}: {e}"))
            })
            .collect();
        Self { list }
    }

    /// Adds the files of a directory, by name; one with the name of an existing theme replaces it. Answers what was wrong.
    pub(crate) fn add_dir(&mut self, dir: &Path) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(dir) else {
            return Vec::new();
        };
        let mut files: Vec<_> = entries
            .flatten()
            .map(|e| e.path())
            .filter(|p| p.extension().is_some_and(|x| x == "toml"))
            .collect();
        files.sort();
        let mut wrong = Vec::new();
        for path in files {
            let text = match std::fs::metadata(&path) {
                Ok(meta) if meta.len() > MAX_FILE => Err("larger than any theme".to_owned()),
                Ok(_) => std::fs::read_to_string(&path).map_err(|e| e.to_string()),
                Err(e) => Err(e.to_string()),
            };
            match text.and_then(|t| parse(&t).map_err(|e| e.to_string())) {
                Ok(theme) => match self.list.iter_mut().find(|t| t.name == theme.name) {
                    Some(slot) => *slot = theme,
                    None => self.list.push(theme),
                },
                Err(e) => wrong.push(format!("theme {}: {e}", path.display())),
            }
        }
        wrong
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|t| t.name.as_str())
    }

    pub(crate) fn get(&self, name: &str) -> Option<Theme> {
        self.list.iter().find(|t| t.name == name).cloned()
    }

    /// The one for a ground.
    pub(crate) fn default_for(&self, light: bool) -> Theme {
        self.list
            .iter()
            .find(|t| t.light == light)
            .unwrap_or(&self.list[0])
            .clone()
    }

    /// The one after `name`, round and round.
    pub(crate) fn after(&self, name: &str) -> Theme {
        let at = self
            .list
            .iter()
            .position(|t| t.name == name)
            .map_or(0, |i| i + 1);
        self.list[at % self.list.len()].clone()
    }
}

const HEX: &str = "\"#rrggbb\"";
const ANSI: &str = "\"default\" or one of the sixteen, like \"bright-blue\"";

pub(crate) fn parse(text: &str) -> Result<Theme, ThemeError> {
    let file: File = toml::from_str(text).map_err(|e| ThemeError::Toml(e.message().to_owned()))?;
    let colors = file.colors.as_ref().map(many).transpose()?;
    if colors.is_none() && file.ansi.is_none() {
        return Err(ThemeError::Empty);
    }
    let mut ansi = [Color::Reset; 10];
    for role in Role::ALL {
        let key = role.key();
        ansi[role as usize] = match file
            .ansi
            .as_ref()
            .and_then(|t| t.get(key))
            .and_then(toml::Value::as_str)
        {
            Some(value) => named(value).ok_or_else(|| ThemeError::Colour {
                table: "ansi",
                key,
                value: value.to_owned(),
                hint: ANSI,
            })?,
            None => plain(role),
        };
    }
    Ok(Theme {
        name: file.name,
        light: file.light,
        colors,
        ansi,
    })
}

/// The colours of a terminal that has many: every role needs one.
fn many(table: &toml::Table) -> Result<[Rgb; 10], ThemeError> {
    let mut colors = [(0, 0, 0); 10];
    for role in Role::ALL {
        let key = role.key();
        let value = table
            .get(key)
            .and_then(toml::Value::as_str)
            .ok_or(ThemeError::Missing {
                table: "colors",
                key,
                hint: HEX,
            })?;
        colors[role as usize] = hex(value).ok_or_else(|| ThemeError::Colour {
            table: "colors",
            key,
            value: value.to_owned(),
            hint: HEX,
        })?;
    }
    Ok(colors)
}

fn hex(text: &str) -> Option<Rgb> {
    let digits = text
        .strip_prefix('#')
        .filter(|d| d.len() == 6 && d.is_ascii())?;
    let part = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
    Some((part(0)?, part(2)?, part(4)?))
}

fn named(text: &str) -> Option<Color> {
    Some(match text {
        "default" => Color::Reset,
        "black" => Color::Black,
        "red" => Color::Red,
        "green" => Color::Green,
        "yellow" => Color::Yellow,
        "blue" => Color::Blue,
        "magenta" => Color::Magenta,
        "cyan" => Color::Cyan,
        "white" => Color::Gray,
        "bright-black" => Color::DarkGray,
        "bright-red" => Color::LightRed,
        "bright-green" => Color::LightGreen,
        "bright-yellow" => Color::LightYellow,
        "bright-blue" => Color::LightBlue,
        "bright-magenta" => Color::LightMagenta,
        "bright-cyan" => Color::LightCyan,
        "bright-white" => Color::White,
        _ => return None,
    })
}

/// What a role is where a theme file says nothing about sixteen colours.
fn plain(role: Role) -> Color {
    match role {
        Role::Background | Role::Text | Role::Strong | Role::Selection => Color::Reset,
        Role::Dim | Role::Line => Color::DarkGray,
        Role::Accent => Color::Blue,
        Role::Good => Color::Green,
        Role::Warn => Color::Yellow,
        Role::Bad => Color::Red,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_built_in_themes_parse_and_the_defaults_are_a_dark_and_a_light_one() {
        let themes = Themes::builtin();
        assert_eq!(
            themes.names().collect::<Vec<_>>(),
            BUILTIN.map(|(name, _)| name),
            "each has the name of its file"
        );
        assert!(!themes.default_for(false).light);
        assert!(themes.default_for(true).light);
        assert_eq!(themes.default_for(false).name, "tana-dark");
        assert_eq!(themes.default_for(true).name, "tana-light");
        assert_eq!(themes.after("terminal").name, "tana-dark");
    }

    /// WCAG 2 relative luminance contrast.
    fn contrast(a: Rgb, b: Rgb) -> f64 {
        let lum = |c: Rgb| {
            let f = |v: u8| {
                let v = f64::from(v) / 255.0;
                if v <= 0.040_45 {
                    v / 12.92
                } else {
                    ((v + 0.055) / 1.055).powf(2.4)
                }
            };
            0.2126 * f(c.0) + 0.7152 * f(c.1) + 0.0722 * f(c.2)
        };
        let (x, y) = (lum(a), lum(b));
        (x.max(y) + 0.05) / (x.min(y) + 0.05)
    }

    #[test]
    fn everything_that_is_read_stands_out_from_its_ground() {
        let themes = Themes::builtin();
        for name in themes.names() {
            let t = themes.get(name).unwrap();
            // Of the terminal's own colours nobody knows what they are.
            let Some(colors) = t.colors else {
                assert_eq!(name, "terminal");
                continue;
            };
            let ground = colors[Role::Background as usize];
            for role in [
                Role::Text,
                Role::Strong,
                Role::Dim,
                Role::Accent,
                Role::Good,
                Role::Warn,
                Role::Bad,
            ] {
                let least = match (name, role) {
                    ("high-contrast", _) => 7.0,
                    _ => 4.5,
                };
                for on in [ground, colors[Role::Selection as usize]] {
                    // Dim text on the selected row may be a little weaker.
                    let least = if on != ground && least < 5.0 {
                        3.6
                    } else {
                        least
                    };
                    let got = contrast(colors[role as usize], on);
                    assert!(got >= least, "{name} {role:?}: {got:.1}");
                }
            }
        }
    }

    #[test]
    fn a_wrong_file_is_named_with_what_would_be_right() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(
            dir.path().join("x.toml"),
            "name = \"x\"\n[colors]\nbackground = \"blue\"\n",
        )
        .unwrap();
        let mut themes = Themes::builtin();
        let wrong = themes.add_dir(dir.path());
        assert_eq!(wrong.len(), 1);
        assert!(
            wrong[0].contains("x.toml")
                && wrong[0].contains("background")
                && wrong[0].contains("#rrggbb"),
            "{wrong:?}"
        );
        assert_eq!(themes.names().count(), BUILTIN.len());
    }
}
