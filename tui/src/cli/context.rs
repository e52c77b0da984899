//! What a command works with: the settings that hold, how it prints, and clients of the daemons.

use anyhow::Context as _;
use tana_client::{IdentityClient, LedgerClient, MeshClient, NodeClient};
use tana_home::{Environment, Home, Overrides, Settings};
use tana_protocol::ServiceKind;
use tana_protocol::service::NodeRole;

use super::Globals;
use super::exit::{Exit, failure};
use super::output::Output;
use crate::contexts::{self, Resolved};

/// Settings, output and where the daemons are.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) settings: Settings,
    pub(crate) out: Output,
    pub(crate) environment: Environment,
    /// The address of another machine's node, without port.
    pub(crate) remote: Option<String>,
    /// What reaches the supervisor of that node.
    pub(crate) via: Vec<String>,
    /// Whether nothing may be changed there.
    pub(crate) read_only: bool,
    /// The settings of this home, when another context's hold.
    pub(crate) origin: Settings,
}

impl Context {
    pub(crate) fn load(
        globals: &Globals,
        port_offset: Option<u16>,
        role: Option<NodeRole>,
    ) -> anyhow::Result<Self> {
        let environment = Environment::read()?;
        let overrides = Overrides {
            home: globals.home.clone(),
            chain: globals.chain.clone(),
            role,
            port_offset,
        };
        let origin = Settings::from_environment(&overrides, &environment)?;
        let there = match &globals.context {
            Some(name) => contexts::resolve(&origin, &environment, name)
                .map_err(|error| failure(Exit::Misuse, error.to_string()))?,
            None => Resolved {
                settings: origin.clone(),
                node: globals.node.clone(),
                via: Vec::new(),
                read_only: false,
            },
        };
        let no_colour = environment.get("NO_COLOR").is_some()
            || environment.get("TERM").is_none_or(|term| term == "dumb");
        Ok(Self {
            settings: there.settings,
            out: Output::new(globals.json, no_colour),
            remote: there.node.as_deref().map(remote).transpose()?,
            via: there.via,
            read_only: there.read_only,
            origin,
            environment,
        })
    }

    pub(crate) fn home(&self) -> &Home {
        &self.settings.home
    }

    /// Whether another machine's node is asked.
    pub(crate) fn is_remote(&self) -> bool {
        self.remote.is_some()
    }

    /// Where a service is.
    pub(crate) fn url(&self, kind: ServiceKind) -> String {
        match &self.remote {
            Some(remote) => format!("{remote}:{}", self.settings.port(kind)),
            None => self.settings.url(kind),
        }
    }

    pub(crate) fn ledger(&self) -> anyhow::Result<LedgerClient> {
        Ok(LedgerClient::new(&self.url(ServiceKind::Ledger))?)
    }

    pub(crate) fn mesh(&self) -> anyhow::Result<MeshClient> {
        Ok(MeshClient::new(&self.url(ServiceKind::Mesh))?)
    }

    pub(crate) fn identity(&self) -> anyhow::Result<IdentityClient> {
        Ok(IdentityClient::new(&self.url(ServiceKind::Identity))?)
    }

    /// The supervisor of this machine's node.
    pub(crate) fn node(&self) -> anyhow::Result<NodeClient> {
        if self.is_remote() {
            return Err(failure(
                Exit::Misuse,
                "the supervisor is reached on its own machine only; leave --node out, or run this there over SSH",
            ));
        }
        Ok(NodeClient::new(&self.home().socket())?)
    }
}

/// `http://10.0.0.5`, from what a person writes for it.
pub(crate) fn remote(text: &str) -> anyhow::Result<String> {
    let wrong = || {
        format!(
            "--node {text:?} is no address; it must be such as http://10.0.0.5 (ports follow from --home's settings)"
        )
    };
    let with_scheme = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let url: http_url::Origin = with_scheme
        .parse()
        .map_err(|()| failure(Exit::Misuse, wrong()))
        .context("the node cannot be asked")?;
    Ok(url.0)
}

mod http_url {
    //! Scheme and host of an address.

    use std::str::FromStr;

    pub(super) struct Origin(pub(super) String);

    impl FromStr for Origin {
        type Err = ();

        fn from_str(text: &str) -> Result<Self, ()> {
            let (scheme, rest) = text.split_once("://").ok_or(())?;
            if !matches!(scheme, "http" | "https") {
                return Err(());
            }
            let host = rest.trim_end_matches('/');
            let bracketed = host.starts_with('[') && host.ends_with(']');
            let valid = !host.is_empty()
                && host
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || ".-[]:".contains(c))
                && (bracketed || !host.contains(':'));
            if valid {
                Ok(Self(format!("{scheme}://{host}")))
            } else {
                Err(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    #[test]
    fn a_remote_node_is_named_by_its_host_alone() {
        assert_eq!(super::remote("10.0.0.5").unwrap(), "http://10.0.0.5");
        assert_eq!(super::remote("https://a.b/").unwrap(), "https://a.b");
        assert_eq!(super::remote("http://[::1]").unwrap(), "http://[::1]");
        for bad in ["", "http://", "ftp://x", "http://x:8080", "http://x/y"] {
            assert!(super::remote(bad).is_err(), "{bad}");
        }
    }
}
