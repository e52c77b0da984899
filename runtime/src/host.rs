//! What a running contract can ask of the world, and the world that a context file describes.

mod local;
mod money;
mod session;

use std::future::Future;
use std::pin::Pin;

use serde_json::Value;

use tana_sandbox::message::{Part, Question};

pub use local::{LocalContext, LocalHost};
pub(crate) use money::{exact_number, number_text};
pub(crate) use session::{Session, SessionError, Staged};

/// An answer that is still on its way.
pub type Pending = Pin<Box<dyn Future<Output = Result<Value, String>>>>;

/// Answers the questions of a running contract.
pub trait Host {
    /// Answers at once: the order in which a contract gets answers must be the order in which it asked.
    ///
    /// # Errors
    /// A sentence for the contract.
    fn ask(&self, question: &Question) -> Result<Value, String>;

    /// Answers a [`Question::Fetch`] while the contract goes on.
    fn fetch(&self, question: Question) -> Pending;

    /// Takes a part of an answer; `false` where it wants the answer as a whole.
    ///
    /// # Errors
    /// A sentence for the contract.
    fn part(&self, part: Part) -> Result<bool, String> {
        drop(part);
        Ok(false)
    }
}
