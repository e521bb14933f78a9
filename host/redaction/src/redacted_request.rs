//! The components of a redacted request, each redacted when it is first read.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::identities::Identities;
use crate::pass::{Purpose, Redaction, RedactionPass};
use crate::rules::Rules;
use crate::secrets::Secrets;
use ouli_codec::MessageView;
use ouli_codec::identity::{Content as HoleContent, has_hole};
use ouli_codec::json::Document;
use ouli_codec::minted_values::MintedValues;
use ouli_message::{Content, Fields, Request};

/// What a redacted request is made of.
#[derive(Debug)]
pub(crate) struct RequestSource {
    pub(crate) endpoint: Arc<str>,
    pub(crate) session: Arc<str>,
    pub(crate) request: Arc<Request>,
    pub(crate) rules: Arc<Rules>,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) identities: Arc<Identities>,
    /// Set once the secrets in the headers are registered: the other components may hold them.
    pub(crate) headers_registered: OnceLock<()>,
}

/// A request that is redacted for one purpose.
#[derive(Debug)]
pub(crate) struct RedactedRequest {
    source: Arc<RequestSource>,
    purpose: Purpose,
    fields: OnceLock<Fields>,
    path: OnceLock<Option<String>>,
    query: OnceLock<Vec<(String, String)>>,
    body: OnceLock<Body>,
    json: OnceLock<Option<Document>>,
    fields_have_holes: OnceLock<bool>,
    body_has_holes: OnceLock<bool>,
    /// The version of the known secrets when the path was read.
    known_to_head: OnceLock<u64>,
}

#[derive(Debug)]
struct Body {
    bytes: Bytes,
    /// Set if the body is JSON, was parsed for redaction and did not change.
    document: Option<Document>,
}

impl RedactedRequest {
    /// The request for this purpose. A body that is not in memory counts as empty.
    pub(crate) fn new(source: &Arc<RequestSource>, purpose: Purpose) -> Self {
        Self {
            source: Arc::clone(source),
            purpose,
            fields: OnceLock::new(),
            path: OnceLock::new(),
            query: OnceLock::new(),
            body: OnceLock::new(),
            json: OnceLock::new(),
            fields_have_holes: OnceLock::new(),
            body_has_holes: OnceLock::new(),
            known_to_head: OnceLock::new(),
        }
    }

    pub(crate) fn path_has_holes(&self) -> bool {
        has_hole(self.path().as_bytes())
    }

    pub(crate) fn query_has_holes(&self) -> bool {
        let mut pairs = self.query().iter();
        pairs.any(|(name, value)| has_hole(name.as_bytes()) || has_hole(value.as_bytes()))
    }

    pub(crate) fn fields_have_holes(&self) -> bool {
        *self.fields_have_holes.get_or_init(|| {
            let mut values = self.fields().iter();
            values.any(|(_, value)| has_hole(value.as_bytes()))
        })
    }

    pub(crate) fn body_has_holes(&self) -> bool {
        let body = self.cached_body();
        *self.body_has_holes.get_or_init(|| has_hole(&body.bytes))
    }

    fn begin_pass(&self) -> RedactionPass<'_> {
        let source = &*self.source;
        Redaction::new(&source.rules, &source.secrets, self.purpose)
            .with_identities(&source.identities)
            .begin_pass()
    }

    fn begin_pass_with_header_secrets(&self) -> RedactionPass<'_> {
        let mut pass = self.begin_pass();
        let source = &self.source;
        source
            .headers_registered
            .get_or_init(|| pass.register_fields(&source.request.fields));
        pass
    }

    fn redacted_query(&self) -> Vec<(String, String)> {
        let Some(query) = self.source.request.query() else {
            return Vec::new();
        };
        self.begin_pass_with_header_secrets()
            .redact_parameters(query)
    }

    fn redacted_body(&self) -> Body {
        let Content::Inline(bytes) = &self.source.request.body else {
            return Body {
                bytes: Bytes::new(),
                document: None,
            };
        };
        let content_type = self.source.request.fields.get_str("content-type");
        let redacted = self
            .begin_pass_with_header_secrets()
            .redact_body(content_type, bytes);
        Body {
            bytes: redacted.replacement.unwrap_or_else(|| bytes.clone()),
            document: redacted.document,
        }
    }

    fn cached_body(&self) -> &Body {
        self.body.get_or_init(|| self.redacted_body())
    }
}

impl MessageView for RedactedRequest {
    fn kind(&self) -> &'static str {
        "request"
    }

    fn is_websocket(&self) -> bool {
        self.source.request.is_websocket()
    }

    fn endpoint(&self) -> &str {
        &self.source.endpoint
    }

    fn session(&self) -> &str {
        &self.source.session
    }

    fn method(&self) -> &str {
        self.source.request.method.as_str()
    }

    fn authority(&self) -> &str {
        &self.source.request.authority
    }

    fn path(&self) -> &str {
        let path = self.source.request.path();
        let new = self.path.get_or_init(|| {
            let mut pass = self.begin_pass_with_header_secrets();
            self.known_to_head
                .get_or_init(|| self.source.secrets.version());
            pass.redact_path(path)
        });
        new.as_deref().unwrap_or(path)
    }

    fn query(&self) -> &[(String, String)] {
        self.query.get_or_init(|| self.redacted_query())
    }

    fn status(&self) -> u16 {
        0
    }

    fn fields(&self) -> &Fields {
        self.fields.get_or_init(|| {
            let mut fields = self.source.request.fields.clone();
            self.begin_pass().redact_fields(&mut fields);
            fields
        })
    }

    fn body(&self) -> &Bytes {
        &self.cached_body().bytes
    }

    fn json(&self) -> Option<&Document> {
        let body = self.cached_body();
        body.document.as_ref().or_else(|| {
            let parsed = self
                .json
                .get_or_init(|| Document::parse(body.bytes.clone()));
            parsed.as_ref()
        })
    }

    fn has_secret_in_head(&self) -> bool {
        let (source, known) = (&self.source, self.known_to_head.get());
        if known.is_none_or(|known| *known == source.secrets.version()) {
            return false;
        }
        let searcher = source.secrets.searcher();
        let holds = |text: &[u8]| searcher.find_any(text).is_some();
        let path = self.path.get().is_some() && holds(self.path().as_bytes());
        let mut query = self.query.get().into_iter().flatten();
        let mut fields = self.fields.get().into_iter().flat_map(Fields::iter);
        path || query.any(|(name, value)| holds(name.as_bytes()) || holds(value.as_bytes()))
            || fields.any(|(_, value)| holds(value.as_bytes()))
    }

    fn minted_values(&self) -> Option<&MintedValues> {
        Some(self.source.secrets.minted())
    }

    fn hole(&self, index: usize) -> Option<HoleContent> {
        self.source.identities.get(index)
    }
}
