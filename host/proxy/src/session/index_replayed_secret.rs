//! Finds the recorded response that gave a placeholder to a client.

use std::sync::Arc;

use super::entry::Entry;
use super::index::Index;
use ouli_codec::identity::Identity;
use ouli_matching::key::Key;
use ouli_matching::miss::ReplayedSecret;
use ouli_message::Content;
use ouli_message::stream::{Side, StreamContent};

/// A placeholder in a part of a request.
pub(crate) struct SentPlaceholder {
    part: String,
    class: Arc<str>,
    number: u64,
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
                    class: Arc::clone(class),
                    number: *number,
                })
            }
            Identity::Placeholder(..)
            | Identity::Secret(_)
            | Identity::Minted(_)
            | Identity::Placed(..) => None,
        });
        found.collect()
    }

    /// The first of these placeholders that a recorded response has. Reads the bodies that no call
    /// before has read.
    pub(crate) fn replayed_secret(&self, sent: Vec<SentPlaceholder>) -> Option<ReplayedSecret> {
        let mut received = self.received.lock();
        for entry in self.session.replayable_from(received.searched()) {
            self.for_each_received(&entry, &mut |text| received.add(text, entry.ordinal));
            received.count_searched();
        }
        sent.into_iter().find_map(|sent| {
            Some(ReplayedSecret {
                exchange: received.first(&sent.class, sent.number)?,
                part: sent.part,
                placeholder: format!("<{}-{}>", sent.class, sent.number),
            })
        })
    }

    /// Visits what the server sent in an exchange. A body that cannot be read is left out.
    fn for_each_received(&self, entry: &Entry, visit: &mut dyn FnMut(&[u8])) {
        let response = &entry.response;
        let fields = response.fields.iter().chain(response.trailers.iter());
        fields.for_each(|(_, value)| visit(value.as_bytes()));
        let mut content = |content: &Content| {
            if let Ok(bytes) = self.read_content(content) {
                visit(&bytes);
            }
        };
        match entry.stream.as_ref().map(|stream| &stream.content) {
            Some(StreamContent::Messages(_, messages)) => {
                let received = messages.iter().filter(|it| it.side == Side::Server);
                let payloads = received.filter_map(|message| message.kind.payload());
                payloads.for_each(|payload| content(&payload.content));
            }
            Some(StreamContent::Chunks(..)) | None => content(&response.body),
        }
    }
}
