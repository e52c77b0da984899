//! A person's shell in a terminal, with `tana` on its PATH.

use std::path::Path;
use std::process::Command;

use crate::binary;
use crate::terminal::Terminal;
use crate::wait::LONG;

/// What the shell says when it waits for a command.
pub(crate) const PROMPT: &str = "shell> ";

pub(crate) fn in_home(home: &Path, columns: u16, rows: u16) -> Terminal {
    let mut shell = Command::new("bash");
    for setting in binary::SETTINGS {
        shell.env_remove(setting);
    }
    shell
        .args(["--norc", "--noprofile", "-i"])
        .current_dir(home)
        .env("TANA_HOME", home)
        .env("PATH", format!("{}:/usr/bin:/bin", binary::dir().display()))
        .env("PS1", PROMPT)
        .env("TERM", "xterm-256color")
        .env("COLORTERM", "truecolor")
        .env("LC_ALL", "C.UTF-8");
    let terminal = Terminal::of(&shell, columns, rows);
    terminal.until(PROMPT, LONG);
    terminal
}
