//! `cargo xtask bench services`: mesh, content store and identity service against what this machine can do without them.

use crate::figures::Figure;
use crate::node::Node;
use crate::{content, logins, mesh};

/// A node without limits on requests: what is measured comes from one address.
pub(crate) fn node() -> Node {
    let node = Node::with_chain();
    node.set("rateLimit", 0);
    node.set("sessionRate", 0);
    node.start();
    node
}

pub(crate) fn figures() -> Vec<Figure> {
    let mut figures = content::figures();
    figures.extend(logins::figures());
    figures.extend(mesh::figures());
    figures
}
