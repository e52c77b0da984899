//! Typed HTTP and SSE clients of every daemon: one plumbing, one retry policy, one mapping of errors.
//!
//! No command line, no screens, no settings: a base URL (or the supervisor's socket) is handed in. The bodies are
//! `tana_protocol::api`'s. Making a client opens no connection and reads no file unless the URL is https.
#![warn(missing_docs)]

mod clock;
mod content;
mod edge;
mod error;
mod events;
mod http;
mod identity;
mod ledger;
mod mesh;
mod node;
mod page;
mod push;
mod until_block;

pub use clock::now;
pub use content::{ContentClient, Opened};
pub use edge::{EdgeAnswer, EdgeClient};
pub use error::ClientError;
pub use events::{EventParser, EventStream, RawEvent, StreamEvent, StreamItem, Unreadable};
pub use identity::IdentityClient;
pub use ledger::{LedgerClient, LedgerEvent, TransactionFilter};
pub use mesh::{MeshChange, MeshClient, MeshEvent, NodeFilter};
pub use node::{LogQuery, NodeClient, NodeEvent};
pub use page::{Page, PageQuery};
pub use push::{PushAnswer, PushClient};
pub use until_block::{Asked, UntilBlock};
