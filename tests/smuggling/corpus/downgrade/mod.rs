//! HTTP/2 requests that would mean something else on HTTP/1.1 (RFC 9113, sections 8.1 to
//! 8.3).

/// The parts that requests are made of.
mod forms;

use super::frames::{DATA, END_HEADERS, END_STREAM, Ended, Fields, HEADERS, block, frame};
use super::judge::Seen;
use super::strict::Request;
use super::target;

/// A request on stream 1.
pub(crate) struct Downgraded {
    pub(crate) id: usize,
    pub(crate) name: String,
    fields: Fields,
    body: Option<Vec<u8>>,
    trailers: Fields,
}

impl Downgraded {
    /// The frames of the request.
    pub(crate) fn frames(&self) -> Vec<u8> {
        let last = |is_last: bool| if is_last { END_STREAM } else { 0 };
        let no_trailers = self.trailers.is_empty();
        let alone = self.body.is_none() && no_trailers;
        let head = block(&self.fields);
        let mut frames = frame(HEADERS, END_HEADERS | last(alone), 1, &head);
        if let Some(body) = &self.body {
            frames.extend(frame(DATA, last(no_trailers), 1, body));
        }
        if !no_trailers {
            let trailers = block(&self.trailers);
            frames.extend(frame(HEADERS, END_HEADERS | END_STREAM, 1, &trailers));
        }
        frames
    }

    /// The expected request, or the reason why it is malformed.
    pub(crate) fn read(&self) -> Result<Request, &'static str> {
        let method = self.pseudo(":method", true)?;
        let scheme = self.pseudo(":scheme", true)?;
        let path = self.pseudo(":path", true)?;
        let authority = self.pseudo(":authority", false)?;
        if method.is_empty()
            || !method
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
        {
            return Err("the method is no token");
        }
        if scheme != b"http" && scheme != b"https" {
            return Err("no scheme of HTTP");
        }
        let is_path = path[..].starts_with(b"/") && path.iter().all(u8::is_ascii_graphic);
        if !is_path {
            return Err("no path");
        }
        // A fragment is not forwarded.
        let fragment = path.iter().position(|byte| *byte == b'#');
        let path = &path[..fragment.unwrap_or(path.len())];
        let is_host = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:[]%".contains(byte);
        if !authority.iter().all(is_host) {
            return Err("no authority");
        }
        let mut hosts = self.values("host");
        hosts.retain(|host| !host.is_empty());
        if hosts
            .iter()
            .any(|host| *host != authority && !authority.is_empty())
            || hosts.len() > 1
        {
            return Err("two hosts");
        }
        self.check_fields()?;
        let body = self.body.clone().unwrap_or_default();
        for length in self.values("content-length") {
            let text = std::str::from_utf8(length).unwrap_or_default();
            let is_number = !length.is_empty() && length.iter().all(u8::is_ascii_digit);
            if !is_number || text.parse() != Ok(body.len()) {
                return Err("the length is another one");
            }
        }
        Ok(Request {
            method: String::from_utf8_lossy(&method).into_owned(),
            target: String::from_utf8_lossy(path).into_owned(),
            body,
            tolerated: self.values("content-length").len() > 1
                || authority.is_empty()
                || self.values("host").contains(&&b""[..])
                || fragment.is_some()
                || path.starts_with(b"//")
                || self.has_late_pseudo_field()
                || method == b"CONNECT",
        })
    }

    /// Compares the outcome with the expectation.
    pub(crate) fn judge(
        &self,
        ended: Ended,
        origin: &[Seen],
        recorded: &[Seen],
        cut: &[Seen],
        origin_may_refuse: bool,
    ) -> Result<(), String> {
        let reading = self.read();
        let fault = Err(format!(
            "{ended:?}, it is {reading:?}\n  origin {origin:?}, in part {cut:?}\n  \
             recorded {recorded:?}"
        ));
        let passed: Vec<_> = match (ended, &reading) {
            (Ended::Answered, Ok(request)) => vec![Seen::from(request)],
            (Ended::Refused | Ended::Reset, Ok(request)) if request.tolerated => Vec::new(),
            (Ended::Refused | Ended::Reset, Err(_)) => Vec::new(),
            (Ended::Refused, Ok(_)) if origin_may_refuse => Vec::new(),
            _ => return fault,
        };
        let same = origin == passed && recorded == origin;
        // A body of the wrong length is detected at its end only.
        let may_be_cut = reading.is_err() && self.body.is_some();
        if same && (cut.is_empty() || may_be_cut) {
            return Ok(());
        }
        fault
    }

    fn values(&self, name: &str) -> Vec<&[u8]> {
        let named = self.fields.iter().filter(|(own, _)| own == name.as_bytes());
        named.map(|(_, value)| &value[..]).collect()
    }

    fn pseudo(&self, name: &str, is_required: bool) -> Result<Vec<u8>, &'static str> {
        match self.values(name)[..] {
            [one] => Ok(one.to_vec()),
            [] if !is_required => Ok(Vec::new()),
            [] => Err("a pseudo-field is missing"),
            _ => Err("a pseudo-field stands twice"),
        }
    }

    fn check_fields(&self) -> Result<(), &'static str> {
        let known = [":method", ":scheme", ":path", ":authority"];
        let mut regular = false;
        for (name, value) in &self.fields {
            let is_pseudo = name.starts_with(b":");
            if is_pseudo && (regular || !known.iter().any(|one| one.as_bytes() == name)) {
                return Err("a pseudo-field that is unknown, or comes late");
            }
            regular |= !is_pseudo;
            if !is_pseudo {
                check(name, value)?;
            }
        }
        let trailers = self.trailers.iter();
        let mut regular = trailers.filter(|(name, _)| !name.starts_with(b":"));
        regular.try_for_each(|(name, value)| check(name, value))
    }

    /// Pseudo-header fields in trailers are malformed. If they are dropped instead, none of them
    /// is forwarded.
    fn has_late_pseudo_field(&self) -> bool {
        let mut trailers = self.trailers.iter();
        trailers.any(|(name, _)| name.starts_with(b":"))
    }
}

fn check(name: &[u8], value: &[u8]) -> Result<(), &'static str> {
    let is_name = |byte: &u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_!#$%&'*+.^`|~".contains(byte)
    };
    if name.is_empty() || !name.iter().all(is_name) {
        return Err("the name of a field");
    }
    let is_text = |byte: &u8| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f);
    if !value.iter().all(is_text) || value.trim_ascii() != value {
        return Err("the value of a field");
    }
    let of_connection = [
        "connection",
        "transfer-encoding",
        "upgrade",
        "keep-alive",
        "proxy-connection",
    ];
    let is_te = name == b"te" && value != b"trailers";
    if is_te || of_connection.iter().any(|one| one.as_bytes() == name) {
        return Err("a field of a connection");
    }
    Ok(())
}

/// All requests of this kind.
pub(crate) fn all() -> Vec<Downgraded> {
    let mut all = Vec::new();
    let mut add = |name: String, change: &dyn Fn(&mut Downgraded)| {
        let id = all.len();
        let mut one = Downgraded {
            id,
            name,
            fields: pairs(&[
                (":method", "POST"),
                (":scheme", "http"),
                (":authority", "origin.test"),
            ]),
            body: None,
            trailers: Vec::new(),
        };
        one.fields
            .push((b":path".to_vec(), target("first", id).into_bytes()));
        change(&mut one);
        all.push(one);
    };
    for (name, fields, body) in forms::forms() {
        add(name, &|one| {
            one.fields.extend(fields.clone());
            one.body = body.as_ref().map(|body| filled(body, one.id));
            for (_, value) in &mut one.fields {
                *value = filled(value, one.id);
            }
        });
    }
    for (name, value) in forms::PSEUDO_FIELDS {
        add(format!("{name}: {}", value.escape_ascii()), &|one| {
            let value = filled(value, one.id);
            one.fields.retain(|(own, _)| own != name.as_bytes());
            one.fields.insert(0, (name.into(), value));
        });
        add(format!("{name}: {} again", value.escape_ascii()), &|one| {
            let value = filled(value, one.id);
            one.fields.push((name.into(), value));
        });
        add(format!("{name} is missing"), &|one| {
            one.fields.retain(|(own, _)| own != name.as_bytes());
        });
    }
    for method in ["GET", "HEAD", "DELETE", "OPTIONS", "TRACE"] {
        for body in ["", "abc"] {
            add(format!("{method} with {body:?}"), &|one| {
                one.fields[0].1 = method.into();
                one.body = Some(body.into());
            });
        }
    }
    for (name, value) in forms::TRAILERS {
        add(format!("the trailer {name:?}: {value:?}"), &|one| {
            one.body = Some(b"abc".to_vec());
            one.trailers = pairs(&[(name, value)]);
        });
    }
    all
}

fn filled(text: &[u8], id: usize) -> Vec<u8> {
    super::filled(text, id)
}

fn pairs(fields: &[(&str, &str)]) -> Fields {
    let owned = |text: &str| text.as_bytes().to_vec();
    fields
        .iter()
        .map(|(name, value)| (owned(name), owned(value)))
        .collect()
}
