//! The producer daemon.

use tana_home::Settings;

/// Runs it until it is told to stop.
///
/// # Errors
/// One sentence that says what failed.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    anyhow::bail!("producer cannot run yet in {}", settings.home.root().display())
}
