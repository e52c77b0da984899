//! This node's operator: who has the node's key, from which that of its identity service follows.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use tana_kit::{ApiResult, Clock, ServiceGuard, ServiceKeys};
use tana_protocol::{NodeId, PublicKey, ServiceKind};

use super::config::Config;

struct OwnKey {
    node: NodeId,
    key: PublicKey,
}

impl ServiceKeys for OwnKey {
    fn key<'a>(
        &'a self,
        service: ServiceKind,
        node: &'a NodeId,
    ) -> BoxFuture<'a, ApiResult<Option<PublicKey>>> {
        let own = service == ServiceKind::Identity && *node == self.node;
        std::future::ready(Ok(own.then_some(self.key))).boxed()
    }
}

/// Takes tokens of this node's identity service, and of no other: the mesh is not asked.
pub(super) fn guard(config: &Config, clock: Arc<dyn Clock>) -> ServiceGuard {
    let (node, key) = config.operator.clone();
    let keys = Arc::new(OwnKey { node, key });
    ServiceGuard::new(keys, clock, &[ServiceKind::Identity]).at(ServiceKind::Identity)
}
