//! Turning to another node: what the setting `contexts` says about it, made into what commands and console work with.

use anyhow::bail;
use tana_home::{Environment, Overrides, Place, Settings};

/// The name of where one is without having chosen: this home, or what `--node` says.
pub(crate) const HERE: &str = "here";

/// A context, ready to be worked with.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    pub(crate) settings: Settings,
    /// Scheme and host of a node elsewhere, as written.
    pub(crate) node: Option<String>,
    /// What reaches its supervisor.
    pub(crate) via: Vec<String>,
    pub(crate) read_only: bool,
}

/// The context of a name.
///
/// # Errors
/// When there is none of it, or its home's settings are wrong.
pub(crate) fn resolve(
    origin: &Settings,
    environment: &Environment,
    name: &str,
) -> anyhow::Result<Resolved> {
    let Some(spec) = origin.contexts.get(name) else {
        let names: Vec<&str> = origin.contexts.keys().map(String::as_str).collect();
        if names.is_empty() {
            bail!(
                "there is no context {name:?}; contexts are made in {}, see docs/operating.md",
                origin.home.config_file().display()
            );
        }
        bail!(
            "there is no context {name:?}; there are {}",
            names.join(", ")
        );
    };
    match &spec.place {
        Place::Home(home) => {
            let overrides = Overrides {
                home: Some(home.clone()),
                port_offset: spec.port_offset,
                ..Overrides::default()
            };
            let mut settings = Settings::from_environment(&overrides, environment)?;
            // Names mean the same wherever one has gone.
            settings.contexts.clone_from(&origin.contexts);
            settings.keys.clone_from(&origin.keys);
            Ok(Resolved {
                settings,
                node: None,
                via: Vec::new(),
                read_only: spec.read_only,
            })
        }
        Place::Node { url, via } => {
            let mut settings = origin.clone();
            settings.port_offset = spec.port_offset.unwrap_or(0);
            Ok(Resolved {
                settings,
                node: Some(url.clone()),
                via: via.clone(),
                read_only: spec.read_only,
            })
        }
    }
}
