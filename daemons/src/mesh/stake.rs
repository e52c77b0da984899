//! Whether a node has on the chain what the mesh's owners want of it: the balance of the account that has the node's own
//! key, so that one stake stands for one node.

use tana_client::{ClientError, LedgerClient};
use tana_protocol::api::mesh::Node;
use tana_protocol::problem::Code;
use tana_protocol::stake::Stake;

use super::error::MeshError;

/// What is wanted, and who knows.
pub(super) struct StakeCheck {
    stake: Stake,
    ledger: LedgerClient,
}

impl StakeCheck {
    pub(super) fn new((stake, ledger): (Stake, String)) -> anyhow::Result<Self> {
        Ok(Self {
            stake,
            ledger: LedgerClient::new(&ledger)?,
        })
    }

    /// # Errors
    /// What the node lacks; or that the ledger cannot say now.
    pub(super) async fn check(&self, node: &Node) -> Result<(), MeshError> {
        let unknown =
            |error: ClientError| MeshError::StakeUnknown(node.id.clone(), error.to_string());
        let user = match self.ledger.user_with_key(&node.public_key).await {
            Ok(user) => user,
            Err(error) if error.code() == Some(Code::NotFound) => {
                return Err(MeshError::Stake(format!(
                    "a node needs {} on the chain, and no account there has the key of {}; make one with this key and \
                     pay it in",
                    self.stake, node.id
                )));
            }
            Err(error) => return Err(unknown(error)),
        };
        let currencies = self.ledger.currencies().await.map_err(unknown)?;
        let Some(currency) = currencies
            .iter()
            .find(|known| known.currency.code == self.stake.currency)
        else {
            return Err(MeshError::Stake(format!(
                "a node needs {}, and the chain has no currency {}; correct meshMinimumStake",
                self.stake, self.stake.currency
            )));
        };
        let decimals = currency.currency.decimals;
        let wanted = self.stake.amount.in_units(decimals).map_err(|error| {
            MeshError::Stake(format!("meshMinimumStake {}: {error}", self.stake))
        })?;
        let balances = self.ledger.balances(&user.id).await.map_err(unknown)?;
        let held = balances
            .iter()
            .find(|balance| balance.currency_code == self.stake.currency)
            .and_then(|balance| balance.amount.in_units(decimals).ok());
        match held {
            Some(held) if held >= wanted => Ok(()),
            held => Err(MeshError::Stake(format!(
                "a node needs {} on the chain, and {}, which has the key of {}, has {} {}",
                self.stake,
                user.username,
                node.id,
                held.map_or_else(|| "0".to_owned(), |held| held.format_short(decimals)),
                self.stake.currency
            ))),
        }
    }
}
