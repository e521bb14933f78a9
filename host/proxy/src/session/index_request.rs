//! The recorded requests of an index, as matchers see them.

use std::sync::Arc;

use bytes::Bytes;

use super::entry::Entry;
use super::index::Index;
use super::truncated_request;
use ouli_codec::MessageView;
use ouli_message::{Content, Request};
use ouli_plugin::PluginFailure;

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
        let view = self.plugins.view(
            entry.endpoint.as_str().into(),
            Arc::clone(self.session.name()),
            request,
            Arc::clone(self.session.secrets()),
        );
        view.map_err(|error: PluginFailure| error.to_string())
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
