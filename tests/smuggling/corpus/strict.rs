//! The reference parser: reads requests by the strict grammar of RFC 9112 and reports what the
//! bytes of a client are and what an origin received.

/// A complete request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query, also of a target in absolute form.
    pub(crate) target: String,
    pub(crate) body: Vec<u8>,
    /// RFC 9110 or 9112 lets a server accept or reject it.
    pub(crate) tolerated: bool,
}

/// The state of the bytes after the last complete request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// No bytes are left.
    Whole,
    /// The head of another request is incomplete.
    InHead,
    /// The body of another request is incomplete.
    InBody,
    /// The head of the next request is malformed.
    BadHead(&'static str),
    /// The body of the next request is malformed.
    BadBody(&'static str),
}

/// The result of parsing.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) requests: Vec<Request>,
    pub(crate) end: End,
    /// The last request, if its body is missing or malformed.
    pub(crate) begun: Option<Request>,
}

/// Parses requests until one closes the connection.
pub(crate) fn read(bytes: &[u8]) -> Reading {
    let mut rest = bytes;
    let mut requests = Vec::new();
    loop {
        let mut begin = rest;
        while let Some(after) = begin.strip_prefix(b"\r\n") {
            begin = after;
        }
        let tolerated = begin.len() < rest.len();
        if begin.is_empty() {
            return ended(requests, End::Whole, None);
        }
        let (head, after) = match head(begin) {
            Ok(Some(head)) => head,
            Ok(None) => return ended(requests, End::InHead, None),
            Err(reason) => return ended(requests, End::BadHead(reason), None),
        };
        let mut request = Request {
            method: head.method,
            target: head.target,
            body: Vec::new(),
            tolerated: head.tolerated || tolerated,
        };
        let read = body(after, head.framing, &mut request);
        rest = match read {
            Ok(Some(rest)) => rest,
            Ok(None) => return ended(requests, End::InBody, Some(request)),
            Err(reason) => return ended(requests, End::BadBody(reason), Some(request)),
        };
        requests.push(request);
        if head.last {
            return ended(requests, End::Whole, None);
        }
    }
}

fn ended(requests: Vec<Request>, end: End, begun: Option<Request>) -> Reading {
    Reading {
        requests,
        end,
        begun,
    }
}

/// A server may limit the length of a chunk-size line.
const LONG: usize = 200;

#[derive(Clone, Copy)]
enum Framing {
    Length(u64),
    Chunked,
}

struct Head {
    method: String,
    target: String,
    framing: Framing,
    last: bool,
    tolerated: bool,
}

type Read<T> = Result<Option<T>, &'static str>;

/// A line without its CRLF, and the bytes after it.
fn line(bytes: &[u8]) -> Read<(&[u8], &[u8])> {
    let Some(at) = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
        return Ok(None);
    };
    match (bytes[at], bytes.get(at + 1)) {
        (b'\r', Some(b'\n')) => Ok(Some((&bytes[..at], &bytes[at + 2..]))),
        (b'\r', None) => Ok(None),
        (b'\r', Some(_)) => Err("a CR alone"),
        _ => Err("an LF alone"),
    }
}

fn head(bytes: &[u8]) -> Read<(Head, &[u8])> {
    let Some((first, mut rest)) = line(bytes)? else {
        return begins_well(bytes);
    };
    let (method, target, version) = request_line(first)?;
    let target = super::encoded(target);
    let mut fields = Vec::new();
    loop {
        let Some((field, after)) = line(rest)? else {
            return Ok(None);
        };
        rest = after;
        if field.is_empty() {
            break;
        }
        fields.push(self::field(field)?);
    }
    let mut head = framing(&fields, version)?;
    head.method = String::from_utf8_lossy(method).into_owned();
    let path = path(&target, method)?;
    head.tolerated |= host(&fields, version, path.authority)? || path.has_fragment;
    head.target = path.path;
    // A reverse proxy has no target for CONNECT and `OPTIONS *`.
    head.tolerated |= head.method == "CONNECT" || head.target == "*" || !first.is_ascii();
    Ok(Some((head, rest)))
}

/// A line without its end may be malformed already.
fn begins_well<T>(bytes: &[u8]) -> Read<T> {
    let wrong = bytes.iter().any(|byte| *byte < b' ' && *byte != b'\r');
    if wrong {
        Err("a control character in the request line")
    } else {
        Ok(None)
    }
}

fn request_line(line: &[u8]) -> Result<(&[u8], &[u8], u8), &'static str> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (method, target, version) = (parts.next(), parts.next(), parts.next());
    let (Some(method), Some(target), Some(version), None) = (method, target, version, parts.next())
    else {
        return Err("no request line");
    };
    if method.is_empty() || !method.iter().all(is_token) {
        return Err("the method is no token");
    }
    if target.is_empty() || !super::encoded(target).iter().all(u8::is_ascii_graphic) {
        return Err("no target");
    }
    match version {
        b"HTTP/1.1" => Ok((method, target, 1)),
        b"HTTP/1.0" => Ok((method, target, 0)),
        _ => Err("no version that is spoken here"),
    }
}

fn is_token(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
}

/// Name in lower case, and value.
fn field(line: &[u8]) -> Result<(Vec<u8>, &[u8]), &'static str> {
    if matches!(line[0], b' ' | b'\t') {
        return Err("a folded line");
    }
    let Some(colon) = line.iter().position(|byte| *byte == b':') else {
        return Err("a field without a colon");
    };
    let (name, value) = (&line[..colon], trim(&line[colon + 1..]));
    if name.is_empty() || !name.iter().all(is_token) {
        return Err("the name of a field is no token");
    }
    let is_text = |byte: &u8| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f);
    if !value.iter().all(is_text) {
        return Err("a control character in a value");
    }
    Ok((name.to_ascii_lowercase(), value))
}

/// The text without spaces and tabs at its ends.
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

fn values<'a>(fields: &'a [(Vec<u8>, &[u8])], name: &str) -> Vec<&'a [u8]> {
    let named = fields.iter().filter(|(own, _)| own == name.as_bytes());
    named.map(|(_, value)| *value).collect()
}

/// RFC 9112, section 6.3; ambiguous framing is rejected.
fn framing(fields: &[(Vec<u8>, &[u8])], version: u8) -> Result<Head, &'static str> {
    let codings = values(fields, "transfer-encoding");
    let lengths = values(fields, "content-length");
    let mut tolerated = false;
    let framing = match (&codings[..], &lengths[..]) {
        ([], []) => Framing::Length(0),
        ([], [first, others @ ..]) => {
            tolerated = !others.is_empty() || first.contains(&b',');
            Framing::Length(length(&lengths)?)
        }
        ([_, ..], _) if version == 0 => return Err("transfer-encoding in HTTP/1.0"),
        ([_, ..], [_, ..]) => return Err("transfer-encoding and content-length"),
        ([coding], []) if coding.eq_ignore_ascii_case(b"chunked") => Framing::Chunked,
        _ => return Err("a transfer coding other than chunked"),
    };
    let options = values(fields, "connection").join(&b","[..]);
    let has = |name: &str| lists(&options, name);
    // Bytes before another protocol than HTTP belong to neither.
    let upgrade = values(fields, "upgrade").join(&b","[..]);
    tolerated |= lists(&upgrade, "websocket") && !matches!(framing, Framing::Length(0));
    Ok(Head {
        method: String::new(),
        target: String::new(),
        framing,
        last: has("close") || (version == 0 && !has("keep-alive")),
        tolerated,
    })
}

/// True if the list contains the name, in any case.
fn lists(list: &[u8], name: &str) -> bool {
    let mut members = list.split(|byte| *byte == b',');
    members.any(|one| trim(one).eq_ignore_ascii_case(name.as_bytes()))
}

/// The length, if all values are equal.
fn length(values: &[&[u8]]) -> Result<u64, &'static str> {
    let all = values
        .iter()
        .flat_map(|value| value.split(|byte| *byte == b','));
    let mut found = None;
    for one in all.map(trim) {
        if one.is_empty() || !one.iter().all(u8::is_ascii_digit) {
            return Err("content-length is no number");
        }
        let number = std::str::from_utf8(one)
            .ok()
            .and_then(|text| text.parse::<u64>().ok());
        let number = number.ok_or("content-length is too large")?;
        if found.is_some_and(|other| other != number) {
            return Err("two lengths");
        }
        found = Some(number);
    }
    found.ok_or("no length")
}

/// The target of a request.
struct Path<'a> {
    /// Path and query. A fragment is not forwarded and must not be sent.
    path: String,
    authority: Option<&'a [u8]>,
    has_fragment: bool,
}

fn path<'a>(target: &'a [u8], method: &[u8]) -> Result<Path<'a>, &'static str> {
    let fragment = target.iter().position(|byte| *byte == b'#');
    let has_fragment = fragment.is_some();
    let target = &target[..fragment.unwrap_or(target.len())];
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if target.first() == Some(&b'/') || target == b"*" || method == b"CONNECT" {
        return Ok(Path {
            path: text(target),
            authority: None,
            has_fragment,
        });
    }
    let schemes = ["http://", "https://"];
    let rest = schemes.iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start
            .eq_ignore_ascii_case(scheme.as_bytes())
            .then_some(rest)
    });
    let rest = rest.ok_or("a target of no form")?;
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?'));
    let (authority, path) = rest.split_at(end.unwrap_or(rest.len()));
    if authority.is_empty() || authority.contains(&b'@') {
        return Err("a target with no host or with a user");
    }
    let slash = if path.first() == Some(&b'/') { "" } else { "/" };
    Ok(Path {
        path: format!("{slash}{}", text(path)),
        authority: Some(authority),
        has_fragment,
    })
}

/// RFC 9112, section 3.2; true if host and target differ.
fn host(
    fields: &[(Vec<u8>, &[u8])],
    version: u8,
    authority: Option<&[u8]>,
) -> Result<bool, &'static str> {
    match values(fields, "host")[..] {
        [] if version == 0 => Ok(false),
        [] => Err("no host"),
        [host] => {
            let is_host = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:[]%".contains(byte);
            if !host.iter().all(is_host) {
                return Err("no host that is one");
            }
            Ok(host.is_empty() || authority.is_some_and(|own| own != host))
        }
        _ => Err("two hosts"),
    }
}

/// Parses a body; returns the bytes after it.
fn body<'a>(bytes: &'a [u8], framing: Framing, into: &mut Request) -> Read<&'a [u8]> {
    match framing {
        Framing::Length(length) => {
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            into.body.extend(&bytes[..length.min(bytes.len())]);
            Ok(bytes.get(length..))
        }
        Framing::Chunked => chunks(bytes, into),
    }
}

fn chunks<'a>(mut rest: &'a [u8], into: &mut Request) -> Read<&'a [u8]> {
    let Request {
        body, tolerated, ..
    } = into;
    loop {
        let Some((line, after)) = line(rest)? else {
            return Ok(None);
        };
        let (size, is_long) = size(line)?;
        *tolerated |= is_long;
        if size == 0 {
            return trailers(after);
        }
        body.extend(&after[..size.min(after.len())]);
        rest = match after.get(size..) {
            None => return Ok(None),
            Some([b'\r', b'\n', rest @ ..]) => rest,
            Some([] | [b'\r']) => return Ok(None),
            Some(_) => return Err("no line end after a chunk"),
        };
    }
}

/// Chunk size, and whether it is long. Extensions follow RFC 9112, section
/// 7.1.1, without quoted strings that contain a line end.
fn size(line: &[u8]) -> Result<(usize, bool), &'static str> {
    let digits = line
        .iter()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    let (digits, extensions) = line.split_at(digits);
    if !extensions.is_empty() && trim(extensions).first() != Some(&b';') {
        return Err("something after the size of a chunk");
    }
    let is_text = |byte: &u8| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f);
    if !extensions.iter().all(is_text) {
        return Err("a control character in a chunk extension");
    }
    let text = std::str::from_utf8(digits).map_err(|_| "no size of a chunk")?;
    let size = u64::from_str_radix(text, 16).map_err(|_| "no size of a chunk")?;
    Ok((
        usize::try_from(size).unwrap_or(usize::MAX),
        line.len() > LONG,
    ))
}

fn trailers(mut rest: &[u8]) -> Read<&[u8]> {
    loop {
        let Some((line, after)) = line(rest)? else {
            return Ok(None);
        };
        rest = after;
        if line.is_empty() {
            return Ok(Some(rest));
        }
        field(line)?;
    }
}
