//! What the clients of a session made up, within the memory of all sessions.

use std::sync::Arc;

use crate::secrets::Secrets;
use ouli_codec::minted_values::{MintedValues, Seen};

impl Secrets {
    /// Clients made up these values, of a recorded request or of a live one. Values of all sessions
    /// beyond the memory are forgotten, as secrets are.
    pub fn see_minted<'a>(
        &self,
        values: impl IntoIterator<Item = &'a Arc<str>>,
        is_recorded: bool,
    ) {
        let mut values = values.into_iter().peekable();
        if values.peek().is_none() {
            return;
        }
        let at = self.memory.tick();
        self.change_minted(|minted| minted.extend(values, Seen { is_recorded, at }));
        self.memory.make_room();
    }

    /// Forgets the values that clients made up, but those for which `keep` is true.
    pub fn retain_minted(&self, mut keep: impl FnMut(&str) -> bool) {
        self.change_minted(|minted| minted.retain(|value, _| keep(value)));
    }

    fn change_minted(&self, change: impl FnOnce(&MintedValues)) {
        change(&self.minted.values);
        self.memory.count_minted(&self.minted);
    }
}
