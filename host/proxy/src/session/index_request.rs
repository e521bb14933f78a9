//! The recorded requests of an index, as matchers see them.

use std::sync::Arc;

use bytes::Bytes;

use super::entry::Entry;
use super::index::Index;
use super::truncated_index::{TruncatedIdentity, TruncatedKey};
use super::truncated_request;
use ouli_codec::MessageView;
use ouli_message::{Content, Request};
use ouli_plugin::PluginFailure;

/// Keys of first parts that are kept, so that the next request does not derive them again.
const MAX_PART_KEYS: usize = 4096;

impl Index {
    /// The recorded request as matchers see it. Redaction runs here too, so that a rule that was
    /// added after the recording applies to both the recorded and the live request.
    pub(super) fn request_view(&self, entry: &Entry) -> Result<Arc<dyn MessageView>, String> {
        let mut request = self
            .load_body(&entry.request)
            .map_err(|error| error.to_string())?;
        if request.truncated_at.is_some() {
            request = Arc::new(truncated_request::completed(&request));
        }
        let view = self.view_of(entry, request);
        view.map_err(|error: PluginFailure| error.to_string())
    }

    /// The recorded request as matchers see it, with an empty body.
    pub(super) fn request_view_without_body(
        &self,
        entry: &Entry,
    ) -> Result<Arc<dyn MessageView>, String> {
        let request = Request {
            body: Content::EMPTY,
            ..Request::clone(&entry.request)
        };
        let view = self.view_of(entry, Arc::new(request));
        view.map_err(|error: PluginFailure| error.to_string())
    }

    pub(super) fn view_of(
        &self,
        entry: &Entry,
        request: Arc<Request>,
    ) -> Result<Arc<dyn MessageView>, PluginFailure> {
        self.plugins.view(
            entry.endpoint.as_str().into(),
            Arc::clone(self.session.name()),
            request,
            Arc::clone(self.session.secrets()),
        )
    }

    /// Where a recorded request is found if it is truncated, given the hash of its key.
    pub(super) fn truncated_identity(
        &self,
        request: &Arc<Request>,
        key: u128,
    ) -> Result<Option<TruncatedIdentity>, String> {
        let Some(length) = request.truncated_at else {
            return Ok(None);
        };
        let loaded = self.load_body(request);
        let loaded = loaded.map_err(|error| error.to_string())?;
        let key = (length, truncated_request::key_hash(key, &loaded));
        Ok(Some(TruncatedIdentity::new(key, loaded.body.inline())))
    }

    /// True if one of these recorded requests begins with the part of another one that has this
    /// key. Derives keys.
    pub(crate) fn any_begins_with(&self, recorded: &[Arc<Entry>], key: TruncatedKey) -> bool {
        recorded.iter().any(|entry| self.may_begin_with(entry, key))
    }

    /// True if a recorded request begins with the part of another one that has this key. False if
    /// its own part is not known, because it is redacted, coded or in a file.
    fn may_begin_with(&self, entry: &Entry, (length, hash): TruncatedKey) -> bool {
        let recorded = &entry.request;
        let Content::Inline(body) = &recorded.body else {
            return false;
        };
        // A redacted or decoded body has other lengths.
        let is_exact = recorded.truncated_at == Some(body.len() as u64);
        let Some(end) = usize::try_from(length).ok().filter(|_| is_exact) else {
            return false;
        };
        let place = (entry.ordinal, length);
        if let Some(known) = self.part_keys.lock().get(&place) {
            return *known == hash;
        }
        let part = Request {
            body: Content::Inline(body.slice(..end.min(body.len()))),
            ..Request::clone(recorded)
        };
        let completed = Arc::new(truncated_request::completed(&part));
        let key = self
            .view_of(entry, completed)
            .and_then(|view| self.plugins.key(&view, self.session.secrets()));
        let Ok(key) = key else {
            return true;
        };
        let derived = truncated_request::key_hash(key.key.hash(), &part);
        let mut part_keys = self.part_keys.lock();
        if part_keys.len() >= MAX_PART_KEYS {
            part_keys.clear();
        }
        part_keys.insert(place, derived);
        derived == hash
    }

    fn load_body(&self, request: &Arc<Request>) -> std::io::Result<Arc<Request>> {
        match &request.body {
            Content::Inline(_) => Ok(Arc::clone(request)),
            stored @ Content::Stored { .. } => Ok(Arc::new(Request {
                body: Content::Inline(self.read_content(stored)?),
                ..Request::clone(request)
            })),
        }
    }

    /// The bytes of a body or a message, read from its file if it is stored.
    pub(super) fn read_content(&self, content: &Content) -> std::io::Result<Bytes> {
        match content {
            Content::Inline(bytes) => Ok(bytes.clone()),
            Content::Stored { digest, .. } => self.folder.read_body(self.session.name(), digest),
        }
    }
}
