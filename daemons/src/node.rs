//! The node daemon.

use tana_home::Settings;

/// Runs it until it is told to stop.
///
/// # Errors
/// One sentence that says what failed.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    anyhow::bail!("node cannot run yet in {}", settings.home.root().display())
}
