//! Finds the recorded response that gave a placeholder to a client.

use bytes::Bytes;
use memchr::memmem::Finder;

use super::entry::Entry;
use super::index::Index;
use ouli_codec::identity::Identity;
use ouli_matching::key::Key;
use ouli_matching::miss::ReplayedSecret;
use ouli_message::Fields;
use ouli_message::stream::{Side, StreamContent};

/// A placeholder in a part of a request.
pub(crate) struct SentPlaceholder {
    part: String,
    placeholder: String,
}

impl Index {
    /// The placeholders that a request has in the places of secrets. In a body, only those of the
    /// classes of rules count: others are text.
    pub(crate) fn placeholders_of(&self, live: &Key) -> Vec<SentPlaceholder> {
        let uses = live.identities().iter();
        let found = uses.filter_map(|it| match &it.identity {
            Identity::Placeholder(class, number)
                if *it.part != *"body" || self.plugins.is_rule_name(class) =>
            {
                Some(SentPlaceholder {
                    part: it.part.to_string(),
                    placeholder: format!("<{class}-{number}>"),
                })
            }
            Identity::Placeholder(..) | Identity::Secret(_) | Identity::Minted(_) => None,
        });
        found.collect()
    }

    /// The first of these placeholders that a recorded response has. Reads bodies.
    pub(crate) fn replayed_secret(&self, sent: Vec<SentPlaceholder>) -> Option<ReplayedSecret> {
        let entries = self.session.replayable();
        sent.into_iter().find_map(|sent| {
            let texts = [
                sent.placeholder.clone(),
                sent.placeholder.replace('<', "%3C").replace('>', "%3E"),
            ];
            let finders = texts.each_ref().map(Finder::new);
            let is_in = |bytes: &[u8]| finders.iter().any(|one| one.find(bytes).is_some());
            let found = entries.iter().find(|it| self.any_received(it, &is_in))?;
            Some(ReplayedSecret {
                part: sent.part,
                placeholder: sent.placeholder,
                exchange: found.ordinal,
            })
        })
    }

    /// True if a text that the server sent in an exchange is such a one. A body that cannot be read
    /// has none.
    fn any_received(&self, entry: &Entry, is_such: &dyn Fn(&[u8]) -> bool) -> bool {
        let response = &entry.response;
        let in_fields = |fields: &Fields| fields.iter().any(|(_, it)| is_such(it.as_bytes()));
        let in_bytes = |bytes: std::io::Result<Bytes>| bytes.is_ok_and(|it| is_such(&it));
        if in_fields(&response.fields) || in_fields(&response.trailers) {
            return true;
        }
        match entry.stream.as_ref().map(|stream| &stream.content) {
            Some(StreamContent::Messages(_, messages)) => {
                let mut received = messages.iter().filter(|it| it.side == Side::Server);
                received.any(|message| {
                    let payload = message.kind.payload();
                    payload.is_some_and(|it| in_bytes(self.read_content(&it.content)))
                })
            }
            Some(StreamContent::Chunks(..)) | None => in_bytes(self.read_content(&response.body)),
        }
    }
}
