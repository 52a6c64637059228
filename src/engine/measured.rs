//! What measurements ask of an engine, and nobody else.

use super::Engine;
use crate::error::Result;
use crate::recall::LeftOut;

impl Engine {
    /// Has recalls and contexts do without some evidence, to measure what it is worth.
    pub fn leave_out(&mut self, evidence: LeftOut) {
        self.left_out = evidence;
    }

    /// The budget of a context when the caller names none, in estimated tokens.
    pub fn context_tokens(&self) -> usize {
        self.config.context_tokens
    }

    /// Takes away the schema of a store that was made to be thrown away, with all in it. The folder
    /// of an embedded one is its maker's.
    pub async fn discard(&self) -> Result<()> {
        match self.store.lock().await.take() {
            Some(store) => store.discard().await,
            None => Ok(()),
        }
    }
}
