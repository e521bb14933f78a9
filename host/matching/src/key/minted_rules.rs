//! Rules that name the places of values which clients make up.

use super::minted_role::Role;
use ouli_codec::json::{Document, Kind, Node, Pointer};
use ouli_codec::minted::is_followed;

/// Where clients put values that they make up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MintedRules {
    query: Vec<String>,
    headers: Vec<String>,
    paths: Vec<PathPattern>,
    pointers: Vec<Pointer>,
    json_rpc: Option<CallPlaces>,
    /// The fields of a form that is an authorization request of OAuth.
    oauth: Option<Vec<Pointer>>,
    request_ids: bool,
}

/// The places in a call of JSON-RPC.
#[derive(Clone, Debug, PartialEq, Eq)]
struct CallPlaces {
    call: Vec<(Role, Pointer)>,
    /// In a batch of calls.
    batch: Vec<(Role, Pointer)>,
    /// In the notification of MCP, and of LSP, that a call is cancelled.
    cancelled: [Vec<(Role, Pointer)>; 2],
}

/// The segments of a path; none for a value.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PathPattern(Vec<Option<String>>);

/// The `id` of a call of JSON-RPC 2.0, and what a call of MCP or LSP says of its own progress or of
/// the call that it cancels.
const JSON_RPC: &str = "minted.json-rpc";

/// What an authorization request of OAuth or OpenID Connect protects itself with.
const OAUTH: &str = "minted.oauth";

/// Headers that name a request or a trace. They are in no key, and come back in the response.
const REQUEST_IDS: &str = "minted.request-ids";

/// RFC 6749, section 4.1.1; RFC 7636, section 4.3; OpenID Connect Core, section 3.1.2.1.
const OAUTH_NAMES: [&str; 3] = ["code_challenge", "nonce", "state"];

/// The places of one message.
#[derive(Debug, Default)]
pub(super) struct Spots<'a> {
    /// Query parameters.
    query: Vec<&'a str>,
    /// Places in the body whose values are followed elsewhere.
    pub(super) followed: Vec<&'a Pointer>,
    /// Places in the body whose values count in no other exchange.
    pub(super) own: Vec<(Role, &'a Pointer)>,
}

impl MintedRules {
    /// The rules without those that are disabled, and these places: a JSON pointer, `query.NAME`,
    /// `header.NAME`, or `path.` with a path in which `*` is the value.
    ///
    /// # Errors
    /// If a place has another form; says which.
    pub fn new(
        places: impl IntoIterator<Item = impl AsRef<str>>,
        is_enabled: impl Fn(&str) -> bool,
    ) -> Result<Self, String> {
        let json_rpc = is_enabled(JSON_RPC).then(CallPlaces::new).transpose()?;
        let oauth = is_enabled(OAUTH).then(|| pointers(&["/code_challenge", "/nonce", "/state"]));
        let mut rules = Self {
            json_rpc,
            oauth: oauth.transpose()?,
            request_ids: is_enabled(REQUEST_IDS),
            ..Self::default()
        };
        for place in places {
            rules.add(place.as_ref())?;
        }
        Ok(rules)
    }

    /// True if it names no place.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn add(&mut self, place: &str) -> Result<(), String> {
        let unknown = || {
            format!(
                "{place:?} is no place: write a JSON pointer as \"/id\", \"query.NAME\", \
                 \"header.NAME\", or \"path./jobs/*\""
            )
        };
        if place.is_empty() || place.starts_with('/') {
            let pointer = Pointer::parse(place).map_err(|error| format!("{place:?}: {error}"))?;
            if pointer.steps().is_empty() {
                return Err(
                    "the pointer is empty; write a place in the body, as \"/id\"".to_owned(),
                );
            }
            self.pointers.push(pointer);
            return Ok(());
        }
        let (kind, name) = place.split_once('.').ok_or_else(unknown)?;
        match kind {
            _ if name.is_empty() => return Err(unknown()),
            "query" => self.query.push(name.to_owned()),
            "header" => self.headers.push(name.to_ascii_lowercase()),
            "path" => self.paths.push(PathPattern::parse(name)?),
            _ => return Err(unknown()),
        }
        Ok(())
    }

    /// The places of a request with these query parameters and this body.
    pub(super) fn spots<'a>(&'a self, query: &[(String, String)], body: BodyKind<'_>) -> Spots<'a> {
        let mut spots = Spots {
            query: self.query.iter().map(String::as_str).collect(),
            followed: self.pointers.iter().collect(),
            own: Vec::new(),
        };
        let is_request = |has: &dyn Fn(&str) -> bool| has("client_id") && has("response_type");
        if self.oauth.is_some() && is_request(&|name| query.iter().any(|(own, _)| own == name)) {
            // Another value cannot be given back to the client, so it counts as it is.
            let is_followed = |name: &&str| {
                let mut values = query.iter().filter(|(own, _)| own == name);
                values.all(|(_, value)| is_followed(value))
            };
            spots
                .query
                .extend(OAUTH_NAMES.iter().copied().filter(is_followed));
        }
        match body {
            BodyKind::Json(json) => {
                let places = self.json_rpc.as_ref().map(|places| places.of(json));
                let places = places.into_iter().flatten();
                spots.own = places.map(|(role, pointer)| (*role, pointer)).collect();
            }
            BodyKind::AuthorizationForm => spots.followed.extend(self.oauth.iter().flatten()),
            BodyKind::Other => {}
        }
        spots
    }

    /// The indexes of the segments of a path that are values.
    pub(super) fn segments(&self, path: &str) -> Option<Vec<usize>> {
        let matching = self.paths.iter().find(|pattern| pattern.matches(path))?;
        Some(matching.values().collect())
    }

    pub(super) fn pointers(&self) -> &[Pointer] {
        &self.pointers
    }

    pub(super) fn has_json_rpc(&self) -> bool {
        self.json_rpc.is_some()
    }

    /// True if ids of requests come back.
    pub fn has_request_ids(&self) -> bool {
        self.request_ids
    }

    /// True if places are declared.
    pub fn has_places(&self) -> bool {
        let Self {
            query,
            headers,
            paths,
            pointers,
            ..
        } = self;
        !(query.is_empty() && headers.is_empty() && paths.is_empty() && pointers.is_empty())
    }

    pub(super) fn has_header(&self, name: &str) -> bool {
        self.headers
            .iter()
            .any(|own| own.eq_ignore_ascii_case(name))
    }

    pub(super) fn headers(&self) -> &[String] {
        &self.headers
    }
}

/// A body by what its places depend on.
#[derive(Clone, Copy)]
pub(super) enum BodyKind<'a> {
    Json(&'a Document),
    /// An authorization request of OAuth.
    AuthorizationForm,
    Other,
}

impl Spots<'_> {
    pub(super) fn has_body(&self) -> bool {
        !(self.followed.is_empty() && self.own.is_empty())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.query.is_empty() && !self.has_body()
    }

    pub(super) fn has_query(&self, name: &str) -> bool {
        self.query.contains(&name)
    }
}

impl PathPattern {
    fn parse(path: &str) -> Result<Self, String> {
        let form = "write the whole path, with `*` for the segment that is the value, as \
                    \"path./jobs/*\"";
        if !path.starts_with('/') {
            return Err(format!("the path {path:?} does not begin with `/`; {form}"));
        }
        let segments = path.split('/');
        if segments.clone().any(|it| it.contains('*') && it != "*") {
            return Err(format!("in {path:?}, `*` is a part of a segment; {form}"));
        }
        if !segments.clone().any(|segment| segment == "*") {
            return Err(format!("the path {path:?} has no `*`; {form}"));
        }
        let segments = segments.map(|it| (it != "*").then(|| it.to_owned()));
        Ok(Self(segments.collect()))
    }

    fn matches(&self, path: &str) -> bool {
        let mut segments = path.split('/');
        let is_equal = |own: &Option<String>| match (own, segments.next()) {
            (Some(own), Some(segment)) => own == segment,
            (None, Some(segment)) => !segment.is_empty(),
            (_, None) => false,
        };
        self.0.iter().all(is_equal) && segments.next().is_none()
    }

    fn values(&self) -> impl Iterator<Item = usize> {
        let numbered = self.0.iter().enumerate();
        numbered.filter_map(|(index, segment)| segment.is_none().then_some(index))
    }
}

/// Where a client makes values up in a call.
const CALL: [(Role, &str); 4] = [
    (Role::Call, "/id"),
    (Role::Progress, "/params/_meta/progressToken"),
    (Role::Progress, "/params/workDoneToken"),
    (Role::Progress, "/params/partialResultToken"),
];

impl CallPlaces {
    fn new() -> Result<Self, String> {
        let place = |role, pointer: &str| match Pointer::parse(pointer) {
            Ok(pointer) => Ok((role, pointer)),
            Err(error) => Err(error.to_string()),
        };
        let within = |outer: &str| {
            let places = CALL.iter();
            let places = places.map(|(role, pointer)| place(*role, &format!("{outer}{pointer}")));
            places.collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            call: within("")?,
            batch: within("/*")?,
            cancelled: [
                vec![place(Role::Call, "/params/requestId")?],
                vec![place(Role::Call, "/params/id")?],
            ],
        })
    }

    /// The places in a call, or in a batch of calls. What answers a call of the server has its id,
    /// which the client did not make up.
    fn of(&self, json: &Document) -> &[(Role, Pointer)] {
        let [mcp, lsp] = &self.cancelled;
        match json.root().kind() {
            Kind::Object(_) => match method(json.root()).as_deref() {
                Some("notifications/cancelled") => mcp,
                Some("$/cancelRequest") => lsp,
                Some(_) => &self.call,
                None => &[],
            },
            Kind::Array(mut elements) => {
                let is_empty = elements.clone().next().is_none();
                match !is_empty && elements.all(|element| method(element).is_some()) {
                    true => &self.batch,
                    false => &[],
                }
            }
            _ => &[],
        }
    }
}

fn pointers(texts: &[&str]) -> Result<Vec<Pointer>, String> {
    let parsed = texts.iter().map(|text| Pointer::parse(text));
    parsed
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())
}

/// The method of a call of JSON-RPC 2.0.
fn method(node: Node<'_>) -> Option<String> {
    let Kind::Object(members) = node.kind() else {
        return None;
    };
    let mut members = members.filter(|member| member.name == "method");
    let method = members.find_map(|member| match member.value.kind() {
        Kind::String(name) => Some(name.into_owned()),
        _ => None,
    });
    method.filter(|_| is_json_rpc(node))
}

/// True for an object that says it is a message of JSON-RPC 2.0.
pub(super) fn is_json_rpc(node: Node<'_>) -> bool {
    let Kind::Object(mut members) = node.kind() else {
        return false;
    };
    members.any(|member| member.name == "jsonrpc" && member.value.text() == "\"2.0\"")
}
