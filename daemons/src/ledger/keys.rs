//! The keys that producers' tokens are checked with: those of the chain's own validator set, which every node has alike.
//! The mesh is not asked: whether a block may be committed must not depend on a registry outside the chain.

use futures::FutureExt;
use futures::future::BoxFuture;
use tana_kit::{ApiResult, ServiceKeys};
use tana_protocol::{NodeId, PublicKey, ServiceKind};

use super::service::Ledger;

pub(super) struct ValidatorKeys(Ledger);

impl ValidatorKeys {
    pub(super) const fn new(ledger: Ledger) -> Self {
        Self(ledger)
    }
}

impl ServiceKeys for ValidatorKeys {
    fn key<'a>(
        &'a self,
        service: ServiceKind,
        node: &'a NodeId,
    ) -> BoxFuture<'a, ApiResult<Option<PublicKey>>> {
        let key = (service == ServiceKind::Producer)
            .then(|| self.0.validators().key_of(node))
            .flatten();
        std::future::ready(Ok(key)).boxed()
    }
}
