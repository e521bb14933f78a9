//! Recorded responses with a whole resource, for requests that ask for a part of it, for its head,
//! or under a condition.

use std::sync::Arc;

use http::{Method, StatusCode};

use super::entry::Entry;
use super::index::Index;
use super::plain_request::plain_request;
use ouli_matching::key::{Key, SelectingFields};
use ouli_matching::miss::IdentityConflict;
use ouli_message::Fields;

impl Index {
    /// The exchange with the whole resource for the key and the fields of a request for it: the
    /// next one that was not replayed, or else the last one. With `must_succeed` its status is 200.
    ///
    /// # Errors
    /// If there are some, but only with other secrets.
    pub(crate) fn find_whole(
        &self,
        key: &Key,
        live: &Fields,
        must_succeed: bool,
    ) -> Result<Option<Arc<Entry>>, IdentityConflict> {
        let state = self.state.read();
        let others = state.whole.get(&key.hash()).into_iter().flatten();
        let selecting = SelectingFields::of(live);
        let others = others.filter(|position| state.suits(**position, &selecting));
        let mut positions: Vec<_> = others.copied().collect();
        positions.extend(state.positions(key, live));
        positions.sort_unstable();
        let identities = key.identities();
        let mut first_conflict = None;
        positions.retain(|position| {
            let conflict = self.identity_conflict(&state, *position, identities);
            let is_fitting = conflict.is_none();
            first_conflict = first_conflict.take().or(conflict);
            is_fitting
        });
        if let Some(conflict) = first_conflict.filter(|_| positions.is_empty()) {
            return Err(conflict);
        }
        let entries = positions.iter().map(|position| &state.entries[*position].0);
        let uses = self.session.entries.uses();
        let suits = |entry: &&Arc<Entry>| {
            uses.has(entry)
                && entry.failure.is_none()
                && (!must_succeed || entry.response.status == StatusCode::OK)
        };
        let entries: Vec<_> = entries.filter(suits).collect();
        let unused = entries.iter().find(|entry| !uses.is_used(entry));
        let found = unused.or(entries.last());
        Ok(found.map(|entry| Arc::clone(entry)))
    }

    /// The key of a request without its condition or range, if the response has the whole resource.
    pub(super) fn whole_key(&self, entry: &Entry) -> Result<Option<u128>, String> {
        if entry.response.status != StatusCode::OK || entry.request.method != Method::GET {
            return Ok(None);
        }
        let Some(plain) = plain_request(&entry.request) else {
            return Ok(None);
        };
        let view = self.view_of(entry, Arc::new(plain));
        let keyed = view.and_then(|view| self.plugins.key(&view, self.session.secrets()));
        let keyed = keyed.map_err(|error| error.to_string())?;
        Ok(Some(keyed.key.hash()))
    }
}
