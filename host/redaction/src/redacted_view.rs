//! What a matcher sees of a request: redacted piece by piece, when it is first read.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_128;

use crate::pass::{Purpose, Redaction, RedactionPass};
use crate::rules::Rules;
use crate::secrets::Secrets;
use ouli_codec::MessageView;
use ouli_codec::json::Document;
use ouli_message::{Content, Fields, Request};

/// A request for the use of a key. Placeholders count by their class, so that it is the same for a
/// request with secrets, for one with other secrets and for the recorded one.
#[derive(Debug)]
pub struct RequestView {
    endpoint: Arc<str>,
    session: Arc<str>,
    request: Arc<Request>,
    rules: Arc<Rules>,
    secrets: Arc<Secrets>,
    /// The secrets of the header are known, so that they are found in the other pieces too.
    headers_registered: OnceLock<()>,
    fields: OnceLock<Fields>,
    path: OnceLock<Option<String>>,
    query: OnceLock<Vec<(String, String)>>,
    body: OnceLock<Body>,
    json: OnceLock<Option<Document>>,
    digest: OnceLock<Option<u128>>,
}

/// Bytes of a body beyond which a digest costs more than it spares.
const MAX_DIGESTED_BODY: usize = 64 << 10;

#[derive(Debug)]
struct Body {
    bytes: Bytes,
    /// Parsed on the way, where nothing was replaced.
    document: Option<Document>,
}

impl RequestView {
    /// A view that has computed nothing yet. A body that is not in memory counts as empty.
    pub fn new(
        endpoint: Arc<str>,
        session: Arc<str>,
        request: Arc<Request>,
        rules: Arc<Rules>,
        secrets: Arc<Secrets>,
    ) -> Self {
        Self {
            endpoint,
            session,
            request,
            rules,
            secrets,
            headers_registered: OnceLock::new(),
            fields: OnceLock::new(),
            path: OnceLock::new(),
            query: OnceLock::new(),
            body: OnceLock::new(),
            json: OnceLock::new(),
            digest: OnceLock::new(),
        }
    }

    /// The request itself, secrets included.
    pub fn request(&self) -> &Arc<Request> {
        &self.request
    }

    fn begin_pass(&self) -> RedactionPass<'_> {
        Redaction::new(&self.rules, &self.secrets, Purpose::Key).begin_pass()
    }

    fn begin_pass_with_header_secrets(&self) -> RedactionPass<'_> {
        let mut run = self.begin_pass();
        self.headers_registered
            .get_or_init(|| run.register_fields(&self.request.fields));
        run
    }

    fn redacted_query(&self) -> Vec<(String, String)> {
        let Some(query) = self.request.query() else {
            return Vec::new();
        };
        self.begin_pass_with_header_secrets()
            .redact_parameters(query)
    }

    fn redacted_body(&self) -> Body {
        let Content::Inline(bytes) = &self.request.body else {
            return Body {
                bytes: Bytes::new(),
                document: None,
            };
        };
        let content_type = self.request.fields.get_str("content-type");
        let looked = self
            .begin_pass_with_header_secrets()
            .redact_body(content_type, bytes);
        Body {
            bytes: looked.replacement.unwrap_or_else(|| bytes.clone()),
            document: looked.document,
        }
    }

    /// What the view is made from: the request, the rules, and what is known to be secret by now.
    /// Every piece ends in its length, so that no two requests run together.
    fn make_digest(&self) -> Option<u128> {
        let Content::Inline(body) = &self.request.body else {
            return None;
        };
        if body.len() > MAX_DIGESTED_BODY {
            return None;
        }
        let (registry, known) = (self.secrets.id(), self.secrets.len());
        let mut bytes = Vec::with_capacity(512 + body.len());
        let mut add = |piece: &[u8]| {
            bytes.extend_from_slice(piece);
            bytes.extend_from_slice(&(piece.len() as u64).to_le_bytes());
        };
        add(&self.rules.unique_id().to_le_bytes());
        add(&registry.to_le_bytes());
        add(&(known as u64).to_le_bytes());
        add(self.endpoint.as_bytes());
        add(self.session.as_bytes());
        add(self.request.method.as_str().as_bytes());
        add(self.request.authority.as_bytes());
        add(self.request.target.as_bytes());
        for (name, value) in self.request.fields.iter() {
            add(name.as_str().as_bytes());
            add(value.as_bytes());
        }
        add(body);
        Some(xxh3_128(&bytes))
    }

    fn cached_body(&self) -> &Body {
        self.body.get_or_init(|| self.redacted_body())
    }
}

impl MessageView for RequestView {
    fn kind(&self) -> &'static str {
        "request"
    }

    fn is_websocket(&self) -> bool {
        self.request.is_websocket()
    }

    fn endpoint(&self) -> &str {
        &self.endpoint
    }

    fn session(&self) -> &str {
        &self.session
    }

    fn method(&self) -> &str {
        self.request.method.as_str()
    }

    fn authority(&self) -> &str {
        &self.request.authority
    }

    fn path(&self) -> &str {
        let path = self.request.path();
        let new = self
            .path
            .get_or_init(|| self.begin_pass_with_header_secrets().path(path));
        new.as_deref().unwrap_or(path)
    }

    fn query(&self) -> &[(String, String)] {
        self.query.get_or_init(|| self.redacted_query())
    }

    fn status(&self) -> u16 {
        0
    }

    fn digest(&self) -> Option<u128> {
        *self.digest.get_or_init(|| self.make_digest())
    }

    fn fields(&self) -> &Fields {
        self.fields.get_or_init(|| {
            let mut fields = self.request.fields.clone();
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RuleDeclaration;

    fn view(rules: &Arc<Rules>, secrets: &Arc<Secrets>, body: &'static str) -> RequestView {
        let request = Request {
            method: http::Method::POST,
            authority: "a".to_owned(),
            target: "/".to_owned(),
            fields: Fields::default(),
            body: Content::Inline(Bytes::from_static(body.as_bytes())),
            trailers: Fields::default(),
        };
        RequestView::new(
            "endpoint".into(),
            "session".into(),
            Arc::new(request),
            Arc::clone(rules),
            Arc::clone(secrets),
        )
    }

    #[test]
    fn a_digest_tells_all_apart_that_may_show_something_else() {
        let compile = |name: &str| {
            let (name, class) = (name.to_owned(), "pin".to_owned());
            let rule = RuleDeclaration::JsonMember { name, class };
            Arc::new(Rules::compile(vec![rule], &[]).unwrap())
        };
        let (rules, others) = (compile("pin"), compile("pin"));
        let (secrets, elsewhere) = (Arc::default(), Arc::default());
        let digest = |rules, secrets, body| view(rules, secrets, body).digest();
        let first = digest(&rules, &secrets, "one");
        assert!(first.is_some());
        assert_eq!(digest(&rules, &secrets, "one"), first);
        assert_ne!(digest(&rules, &secrets, "two"), first);
        assert_ne!(digest(&others, &secrets, "one"), first, "other rules");
        assert_ne!(digest(&rules, &elsewhere, "one"), first, "another session");
        secrets.register("token", b"something-that-is-secret");
        assert_ne!(digest(&rules, &secrets, "one"), first, "one more secret");
    }
}
