//! Opens the console: reads what this machine says, draws the first frame, and hands over to the run loop.
//! The command line calls this; nothing else does.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use anyhow::bail;
use jiff::tz::TimeZone;
use tana_home::{Environment, HomeError, Settings};

use tana_protocol::service::{NodeRole, ServiceKind};

use crate::contexts;
use crate::features::first;
use crate::keys::Keymap;
use crate::model::{Here, Mode, Model, Screen};
use crate::plain;
use crate::run;
use crate::show::Clock;
use crate::term::osc::Wrapper;
use crate::theme::{Caps, Look, Themes, caps::Ground};

/// What the command line decides.
#[derive(Debug, Clone)]
pub(crate) struct ConsoleOptions {
    pub(crate) settings: Settings,
    pub(crate) environment: Environment,
    /// Another machine's node, as scheme and host without a port.
    pub(crate) remote: Option<String>,
    /// The command that reaches its supervisor; none when it is empty.
    pub(crate) via: Vec<String>,
    /// The context that this is, when one was chosen.
    pub(crate) context: Option<String>,
    /// This home's own settings, which name the contexts.
    pub(crate) origin: Box<Settings>,
    pub(crate) mode: Mode,
    /// The screen to begin with.
    pub(crate) screen: Option<Screen>,
    /// The new file that the session is recorded in.
    pub(crate) record: Option<PathBuf>,
}

/// Runs the console until it is left. Needs a terminal on both ends.
///
/// # Errors
/// When there is no terminal, or it fails.
pub(crate) fn open(options: ConsoleOptions) -> anyhow::Result<()> {
    if !(std::io::stdin().is_terminal() && std::io::stdout().is_terminal()) {
        bail!("the console needs a terminal; `tana status` prints the same to a pipe");
    }
    let mut model = model(&options)?;
    if let Some(screen) = options.screen {
        model.screen = screen;
    }
    let wrapper = Wrapper::detect(|name| options.environment.get(name).map(str::to_owned));
    let was_running = run::run(model, options, wrapper)?;
    if was_running == Node::Running {
        println!(
            "The node keeps running. tana opens the console again, tana status shows it, tana stop ends it."
        );
    }
    Ok(())
}

/// Runs the console as lines. Needs no terminal.
///
/// # Errors
/// When a setting is not right, or the output fails for another reason than that nobody reads it.
pub(crate) fn open_plain(options: ConsoleOptions) -> anyhow::Result<()> {
    let mut model = model(&options)?;
    // Its steps are drawn; `tana new chain` does the same.
    model.first = None;
    plain::run(model, options)
}

impl ConsoleOptions {
    /// Those of another context. A console that was opened read-only stays so wherever it turns.
    ///
    /// # Errors
    /// When there is no such context, or its settings are wrong.
    pub(crate) fn turned_to(&self, first: &Self, name: &str) -> anyhow::Result<Self> {
        if name == contexts::HERE {
            return Ok(first.clone());
        }
        let there = contexts::resolve(&self.origin, &self.environment, name)?;
        let remote = there
            .node
            .as_deref()
            .map(crate::cli::context::remote)
            .transpose()?;
        Ok(Self {
            settings: there.settings,
            environment: self.environment.clone(),
            remote,
            via: there.via,
            context: Some(name.to_owned()),
            origin: self.origin.clone(),
            mode: if there.read_only {
                Mode::ReadOnly
            } else {
                first.mode
            },
            screen: None,
            record: None,
        })
    }
}

/// Whether the node ran when the console was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Node {
    Running,
    NotSeen,
}

/// The model before anything is connected.
pub(crate) fn model(options: &ConsoleOptions) -> anyhow::Result<Model> {
    let settings = &options.settings;
    let caps = Caps::detect(|name| options.environment.get(name).map(str::to_owned));
    let mut themes = Themes::builtin();
    let wrong = themes.add_dir(&settings.home.themes_dir());
    let theme = themes
        .get(&settings.theme)
        .unwrap_or_else(|| themes.default_for(caps.ground == Ground::Light));
    let unknown =
        themes.get(&settings.theme).is_none() && !matches!(settings.theme.as_str(), "" | "auto");
    let clock = Clock {
        now: tana_client::now(),
        zone: TimeZone::system(),
    };
    let keys = Keymap::new(&settings.keys.changes).map_err(|error| HomeError::Setting {
        origin: settings.keys.origin.clone(),
        key: "keys".to_owned(),
        what: error.to_string(),
    })?;
    let here = here(options);
    let mut model = Model::new(
        Look::new(theme, caps),
        themes,
        keys,
        clock,
        here,
        options.mode,
    );
    // One and a half of the time between two heartbeats.
    model.mesh.late_after = settings.heartbeat_interval.mul_f64(1.5);
    let nothing = settings.home.chains().is_ok_and(|chains| chains.is_empty());
    let own = options.remote.is_none() && settings.chain_name.is_none();
    if nothing && own && options.mode == Mode::ReadWrite && settings.role != NodeRole::Coordinator {
        model.first = Some(first::Model::default());
    }
    if unknown {
        let names: Vec<&str> = model.themes.names().collect();
        let text = format!(
            "theme = {:?}: there is none; there are {}",
            settings.theme,
            names.join(", ")
        );
        model.say(crate::theme::Tone::Warn, text);
    }
    if let Some(first) = wrong.first() {
        model.say(crate::theme::Tone::Warn, first.clone());
    }
    Ok(model)
}

/// What lies in `TANA_HOME`. What cannot be read is shown when it is needed, not now.
fn here(options: &ConsoleOptions) -> Here {
    let settings = &options.settings;
    let home = &settings.home;
    let chain = settings.chain().ok().map(|spec| spec.name);
    let keys = crate::effects::machine::keys(settings);
    Here {
        chain,
        node: options.remote.is_none().then(|| settings.node_id.clone()),
        home: shortened(home.root(), options.environment.get("HOME")),
        sovereign: keys.sovereign,
        sealed: keys.sealed,
        users: keys.users,
        remote: options.remote.clone(),
        mesh: match &options.remote {
            Some(remote) => format!("{remote}:{}", settings.port(ServiceKind::Mesh)),
            None => settings.url(ServiceKind::Mesh),
        },
        supervised: options.remote.is_none() || !options.via.is_empty(),
        context: options.context.clone(),
        contexts: options.origin.contexts.keys().cloned().collect(),
    }
}

/// A path with the user's home as `~`.
fn shortened(path: &std::path::Path, user: Option<&str>) -> String {
    match user.and_then(|u| path.strip_prefix(u).ok()) {
        Some(rest) if rest.as_os_str().is_empty() => "~".to_owned(),
        Some(rest) => format!("~/{}", rest.display()),
        None => path.display().to_string(),
    }
}
