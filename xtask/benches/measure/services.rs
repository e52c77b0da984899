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

/// All of them, or those of one part.
pub(crate) fn figures(part: Option<&str>) -> Vec<Figure> {
    let wanted = |name| part.is_none_or(|part| part == name);
    let mut figures = Vec::new();
    if wanted("content") {
        figures.extend(content::figures());
    }
    if wanted("logins") {
        figures.extend(logins::figures());
    }
    if wanted("mesh") {
        figures.extend(mesh::figures());
    }
    figures
}
