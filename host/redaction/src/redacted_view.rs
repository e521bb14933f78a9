//! The redacted request that a matcher reads. Each component is redacted on first access.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_128;

use crate::pass::{Purpose, Redaction, RedactionPass};
use crate::rules::Rules;
use crate::secrets::Secrets;
use ouli_codec::MessageView;
use ouli_codec::json::Document;
use ouli_message::{Content, Fields, Request};

/// A redacted request for a matcher. Placeholders name the class only, so the view of a live
/// request equals the view of the same request with other secrets and of the recorded request.
#[derive(Debug)]
pub struct RequestView {
    endpoint: Arc<str>,
    session: Arc<str>,
    request: Arc<Request>,
    rules: Arc<Rules>,
    secrets: Arc<Secrets>,
    /// Set once the secrets in the headers are registered: the other components may hold them.
    headers_registered: OnceLock<()>,
    fields: OnceLock<Fields>,
    path: OnceLock<Option<String>>,
    query: OnceLock<Vec<(String, String)>>,
    body: OnceLock<Body>,
    json: OnceLock<Option<Document>>,
    digest: OnceLock<Option<u128>>,
}

/// For larger bodies a digest costs more than a cached answer saves.
const MAX_DIGESTED_BODY: usize = 64 << 10;

#[derive(Debug)]
struct Body {
    bytes: Bytes,
    /// Set if the body is JSON, was parsed for redaction and did not change.
    document: Option<Document>,
}

impl RequestView {
    /// A view of a request. A body that is not in memory counts as empty.
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

    /// The original request with its secrets.
    pub fn request(&self) -> &Arc<Request> {
        &self.request
    }

    fn begin_pass(&self) -> RedactionPass<'_> {
        Redaction::new(&self.rules, &self.secrets, Purpose::Key).begin_pass()
    }

    fn begin_pass_with_header_secrets(&self) -> RedactionPass<'_> {
        let mut pass = self.begin_pass();
        self.headers_registered
            .get_or_init(|| pass.register_fields(&self.request.fields));
        pass
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
        let redacted = self
            .begin_pass_with_header_secrets()
            .redact_body(content_type, bytes);
        Body {
            bytes: redacted.replacement.unwrap_or_else(|| bytes.clone()),
            document: redacted.document,
        }
    }

    /// The digest of all inputs of the view: the request, the rules and the secrets known so far.
    /// Each component is followed by its length, so that different requests have different input.
    fn compute_digest(&self) -> Option<u128> {
        let Content::Inline(body) = &self.request.body else {
            return None;
        };
        if body.len() > MAX_DIGESTED_BODY {
            return None;
        }
        let (registry, known) = (self.secrets.id(), self.secrets.version());
        let mut bytes = Vec::with_capacity(512 + body.len());
        let mut add = |component: &[u8]| {
            bytes.extend_from_slice(component);
            bytes.extend_from_slice(&(component.len() as u64).to_le_bytes());
        };
        add(&self.rules.unique_id().to_le_bytes());
        add(&registry.to_le_bytes());
        add(&known.to_le_bytes());
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
            .get_or_init(|| self.begin_pass_with_header_secrets().redact_path(path));
        new.as_deref().unwrap_or(path)
    }

    fn query(&self) -> &[(String, String)] {
        self.query.get_or_init(|| self.redacted_query())
    }

    fn status(&self) -> u16 {
        0
    }

    fn digest(&self) -> Option<u128> {
        *self.digest.get_or_init(|| self.compute_digest())
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
            truncated_at: None,
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
    fn a_digest_depends_on_request_rules_and_secrets() {
        let compile = |name: &str| {
            let (name, class) = (name.to_owned(), "pin".to_owned());
            let rule = RuleDeclaration::JsonMember { name, class };
            Arc::new(Rules::compile(vec![rule], &[]).unwrap())
        };
        let (rules, recompiled_rules) = (compile("pin"), compile("pin"));
        let (secrets, other_session) = (Arc::default(), Arc::default());
        let digest = |rules, secrets, body| view(rules, secrets, body).digest();
        let first = digest(&rules, &secrets, "one");
        assert!(first.is_some());
        assert_eq!(digest(&rules, &secrets, "one"), first);
        assert_ne!(digest(&rules, &secrets, "two"), first);
        assert_ne!(
            digest(&recompiled_rules, &secrets, "one"),
            first,
            "other rules"
        );
        assert_ne!(
            digest(&rules, &other_session, "one"),
            first,
            "another session"
        );
        secrets.register("token", b"something-that-is-secret");
        assert_ne!(digest(&rules, &secrets, "one"), first, "one more secret");
    }
}
