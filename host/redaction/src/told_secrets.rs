//! What a session knows of the secrets that the upstream tells.

use std::sync::atomic::Ordering;

use crate::secrets::Secrets;
use crate::told_words::WordReader;

impl Secrets {
    /// The upstream tells these next bytes of a body.
    pub fn tell(&self, reader: &mut WordReader, bytes: &[u8]) {
        self.told.read(reader, bytes);
        self.memory.add(self.told.take_uncounted());
    }

    /// The secret with this digest is sent to the upstream, whose responses may repeat it.
    pub fn send(&self, digest: u128) {
        let secret = self.registry.read().with_digest(digest).cloned();
        if let Some(secret) = secret {
            secret.send(|| self.told.have(secret.value()));
        }
    }

    /// True if a request was recorded, since the last call, with a secret that was told where no
    /// rule looked: it is in clear in what was recorded before.
    pub fn take_told(&self) -> bool {
        self.was_told.swap(false, Ordering::AcqRel)
    }
}
