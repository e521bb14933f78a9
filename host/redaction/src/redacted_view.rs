//! The redacted request that a matcher reads. Each component is redacted on first access.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_128;

use crate::identities::Identities;
use crate::pass::Purpose;
use crate::redacted_request::{RedactedRequest, RequestSource};
use crate::rules::Rules;
use crate::secrets::Secrets;
use ouli_codec::MessageView;
use ouli_codec::json::Document;
use ouli_codec::minted_values::MintedValues;
use ouli_message::{Content, Fields, Request};

/// A redacted request for a matcher. Placeholders name the class only, so the view of a live
/// request equals the view of the same request with other secrets and of the recorded request.
/// Keys are derived from the same request with a hole in the place of each secret.
#[derive(Debug)]
pub struct RequestView {
    source: Arc<RequestSource>,
    with_holes: RedactedRequest,
    /// Read only where the one with holes has some.
    by_class: RedactedRequest,
    digest: OnceLock<Option<u128>>,
}

/// For larger bodies a digest costs more than a cached answer saves.
const MAX_DIGESTED_BODY: usize = 64 << 10;

impl RequestView {
    /// A view of a request. A body that is not in memory counts as empty.
    pub fn new(
        endpoint: Arc<str>,
        session: Arc<str>,
        request: Arc<Request>,
        rules: Arc<Rules>,
        secrets: Arc<Secrets>,
    ) -> Self {
        let identities = Arc::default();
        Self::with_identities((endpoint, session), request, (rules, secrets), identities)
    }

    /// A view of a request that has holes for these identities.
    pub(crate) fn with_identities(
        (endpoint, session): (Arc<str>, Arc<str>),
        request: Arc<Request>,
        (rules, secrets): (Arc<Rules>, Arc<Secrets>),
        identities: Arc<Identities>,
    ) -> Self {
        let source = Arc::new(RequestSource {
            endpoint,
            session,
            request,
            rules,
            secrets,
            identities,
            headers_registered: OnceLock::new(),
        });
        Self {
            with_holes: RedactedRequest::new(&source, Purpose::Holes),
            by_class: RedactedRequest::new(&source, Purpose::Key),
            source,
            digest: OnceLock::new(),
        }
    }

    /// The original request with its secrets.
    pub fn request(&self) -> &Arc<Request> {
        &self.source.request
    }

    /// The digest of all inputs of the view: the request, the rules and the secrets known so far.
    /// Each component is followed by its length, so that different requests have different input.
    fn compute_digest(&self) -> Option<u128> {
        let source = &*self.source;
        let Content::Inline(body) = &source.request.body else {
            return None;
        };
        if body.len() > MAX_DIGESTED_BODY {
            return None;
        }
        let (registry, known) = (source.secrets.id(), source.secrets.version());
        let mut bytes = Vec::with_capacity(512 + body.len());
        let mut add = |component: &[u8]| {
            bytes.extend_from_slice(component);
            bytes.extend_from_slice(&(component.len() as u64).to_le_bytes());
        };
        add(&source.rules.unique_id().to_le_bytes());
        add(&registry.to_le_bytes());
        add(&known.to_le_bytes());
        add(source.endpoint.as_bytes());
        add(source.session.as_bytes());
        add(source.request.method.as_str().as_bytes());
        add(source.request.authority.as_bytes());
        add(source.request.target.as_bytes());
        for (name, value) in source.request.fields.iter() {
            add(name.as_str().as_bytes());
            add(value.as_bytes());
        }
        add(body);
        Some(xxh3_128(&bytes))
    }

    /// Without holes both are equal.
    fn body_source(&self) -> &RedactedRequest {
        match self.with_holes.body_has_holes() {
            true => &self.by_class,
            false => &self.with_holes,
        }
    }
}

impl MessageView for RequestView {
    fn kind(&self) -> &'static str {
        self.with_holes.kind()
    }

    fn is_websocket(&self) -> bool {
        self.with_holes.is_websocket()
    }

    fn endpoint(&self) -> &str {
        self.with_holes.endpoint()
    }

    fn session(&self) -> &str {
        self.with_holes.session()
    }

    fn method(&self) -> &str {
        self.with_holes.method()
    }

    fn authority(&self) -> &str {
        self.with_holes.authority()
    }

    fn path(&self) -> &str {
        match self.with_holes.path_has_holes() {
            true => self.by_class.path(),
            false => self.with_holes.path(),
        }
    }

    fn query(&self) -> &[(String, String)] {
        match self.with_holes.query_has_holes() {
            true => self.by_class.query(),
            false => self.with_holes.query(),
        }
    }

    fn status(&self) -> u16 {
        0
    }

    fn digest(&self) -> Option<u128> {
        *self.digest.get_or_init(|| self.compute_digest())
    }

    fn fields(&self) -> &Fields {
        match self.with_holes.fields_have_holes() {
            true => self.by_class.fields(),
            false => self.with_holes.fields(),
        }
    }

    fn body(&self) -> &Bytes {
        self.body_source().body()
    }

    fn json(&self) -> Option<&Document> {
        self.body_source().json()
    }

    fn with_holes(&self) -> Option<&dyn MessageView> {
        Some(&self.with_holes)
    }

    fn minted_values(&self) -> Option<&MintedValues> {
        self.with_holes.minted_values()
    }

    fn has_secret_in_head(&self) -> bool {
        self.with_holes.has_secret_in_head()
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
