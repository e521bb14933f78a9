//! The edits of a plugin: all are validated first, then all are applied.

use std::ops::Range;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue};

use crate::splice::{self, Replacement};
use ouli_codec::json::{Document, Pointer, PointerError};
use ouli_message::{Content, Fields, Request, Response};

/// One edit of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Replaces all values of a header; without values the header is removed.
    SetHeader {
        /// The name of the header.
        name: String,
        /// The new values.
        values: Vec<Vec<u8>>,
    },
    /// Removes a header.
    RemoveHeader {
        /// The name of the header.
        name: String,
    },
    /// Replaces a range of the body.
    Replace {
        /// The first byte of the range.
        start: u64,
        /// The first byte after the range.
        end: u64,
        /// The new bytes.
        bytes: Vec<u8>,
    },
    /// Replaces every JSON value at a pointer. Does nothing if there is none.
    ReplaceJson {
        /// The JSON pointer.
        pointer: String,
        /// The new JSON text.
        text: String,
    },
    /// Replaces path and query.
    SetTarget(String),
}

/// Why edits cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The header name is invalid.
    #[error("`{0}` is not a header name")]
    HeaderName(String),
    /// The header value is invalid.
    #[error("the new value of header `{0}` is invalid")]
    HeaderValue(String),
    /// The body is not in memory.
    #[error("the body is not in memory")]
    NoBody,
    /// The range exceeds the body.
    #[error("bytes {start} to {end} are outside the body of {size} bytes")]
    Range {
        /// The first byte of the range.
        start: u64,
        /// The first byte after the range.
        end: u64,
        /// The size of the body in bytes.
        size: usize,
    },
    /// Two edits change the same bytes of the body.
    #[error("two edits overlap at byte {0} of the body")]
    Overlap(usize),
    /// The JSON pointer is invalid.
    #[error("`{0}`: {1}")]
    Pointer(String, #[source] PointerError),
    /// The body is not JSON.
    #[error("the body is not JSON")]
    NoJson,
    /// The new text is not JSON.
    #[error("the new text at `{0}` is not JSON")]
    Json(String),
    /// The target is not a path with an optional query.
    #[error("the new target is not a path with an optional query")]
    Target,
    /// A response has no target.
    #[error("a response has no target")]
    NoTarget,
    /// A stream message has no headers.
    #[error("a stream message has no headers; `{0}` cannot be set")]
    NoHeader(String),
}

/// Applies all edits to a request, or none if one of them is invalid.
pub fn edit_request(request: &mut Request, edits: Vec<Edit>) -> Result<(), EditError> {
    let plan = Plan::new(edits, &request.body)?;
    if let Some(target) = plan.target {
        request.target = target;
    }
    plan.header.apply(&mut request.fields);
    if let Some(body) = plan.body {
        request.body = Content::Inline(body);
    }
    Ok(())
}

/// Applies all edits to a response, or none if one of them is invalid.
pub fn edit_response(response: &mut Response, edits: Vec<Edit>) -> Result<(), EditError> {
    let plan = Plan::new(edits, &response.body)?;
    if plan.target.is_some() {
        return Err(EditError::NoTarget);
    }
    plan.header.apply(&mut response.fields);
    if let Some(body) = plan.body {
        response.body = Content::Inline(body);
    }
    Ok(())
}

/// An edited part of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditedPart {
    /// The new bytes.
    pub bytes: Bytes,
    /// The new position of the boundary. Bytes that replace a range across it are before it.
    pub boundary: usize,
}

/// Applies all edits to a part of a stream, or none if one of them is invalid. A part has no
/// headers and no target. `boundary` is a position in the part that the result maps to its new
/// position.
pub fn edit_part(part: &Bytes, edits: Vec<Edit>, boundary: usize) -> Result<EditedPart, EditError> {
    let content = Content::Inline(part.clone());
    let mut body = BodyPlan::new(&content);
    for edit in edits {
        match edit {
            Edit::Replace { start, end, bytes } => body.replace(start, end, bytes)?,
            Edit::ReplaceJson { pointer, text } => body.replace_json(&pointer, &text)?,
            Edit::SetHeader { name, .. } | Edit::RemoveHeader { name } => {
                return Err(EditError::NoHeader(name));
            }
            Edit::SetTarget(_) => return Err(EditError::NoTarget),
        }
    }
    body.sort()?;
    let boundary = body.moved_boundary(boundary);
    let bytes = body.finish()?.unwrap_or_else(|| part.clone());
    Ok(EditedPart { bytes, boundary })
}

/// Applies all edits to trailers. Only fields can be edited.
pub fn edit_trailers(trailers: &mut Fields, edits: Vec<Edit>) -> Result<(), EditError> {
    let plan = Plan::new(edits, &Content::EMPTY)?;
    if plan.target.is_some() {
        return Err(EditError::NoTarget);
    }
    plan.header.apply(trailers);
    Ok(())
}

/// Validated edits.
struct Plan {
    header: HeaderEdits,
    target: Option<String>,
    body: Option<Bytes>,
}

#[derive(Default)]
struct HeaderEdits(Vec<(HeaderName, Vec<HeaderValue>)>);

impl HeaderEdits {
    fn apply(self, fields: &mut Fields) {
        for (name, values) in self.0 {
            fields.set(&name, values);
        }
    }
}

impl Plan {
    fn new(edits: Vec<Edit>, content: &Content) -> Result<Self, EditError> {
        let (mut header, mut target) = (HeaderEdits::default(), None);
        let mut body = BodyPlan::new(content);
        for edit in edits {
            match edit {
                Edit::SetHeader { name, values } => header.0.push(set_header(&name, &values)?),
                Edit::RemoveHeader { name } => header.0.push(set_header(&name, &[])?),
                Edit::Replace { start, end, bytes } => body.replace(start, end, bytes)?,
                Edit::ReplaceJson { pointer, text } => body.replace_json(&pointer, &text)?,
                Edit::SetTarget(new) => {
                    let valid =
                        new.starts_with('/') && PathAndQuery::try_from(new.as_str()).is_ok();
                    target = Some(valid.then_some(new).ok_or(EditError::Target)?);
                }
            }
        }
        let body = body.finish()?;
        Ok(Self {
            header,
            target,
            body,
        })
    }
}

fn set_header(name: &str, values: &[Vec<u8>]) -> Result<(HeaderName, Vec<HeaderValue>), EditError> {
    let parsed = name.parse::<HeaderName>();
    let parsed = parsed.map_err(|_| EditError::HeaderName(name.to_owned()))?;
    let values = values.iter().map(|value| HeaderValue::from_bytes(value));
    let values: Result<_, _> = values.collect();
    Ok((
        parsed,
        values.map_err(|_| EditError::HeaderValue(name.to_owned()))?,
    ))
}

/// The replacements in a body.
struct BodyPlan<'a> {
    body: Option<&'a Bytes>,
    document: Option<Document>,
    replacements: Vec<Replacement<Vec<u8>>>,
}

impl<'a> BodyPlan<'a> {
    fn new(content: &'a Content) -> Self {
        let body = match content {
            Content::Inline(bytes) => Some(bytes),
            Content::Stored { .. } => None,
        };
        Self {
            body,
            document: None,
            replacements: Vec::new(),
        }
    }

    fn replace(&mut self, start: u64, end: u64, bytes: Vec<u8>) -> Result<(), EditError> {
        let size = self.body.ok_or(EditError::NoBody)?.len();
        let range = range(start, end).filter(|range| range.end <= size);
        let range = range.ok_or(EditError::Range { start, end, size })?;
        self.replacements.push(Replacement::new(range, bytes));
        Ok(())
    }

    fn replace_json(&mut self, pointer: &str, text: &str) -> Result<(), EditError> {
        let parsed = Pointer::parse(pointer);
        let parsed = parsed.map_err(|error| EditError::Pointer(pointer.to_owned(), error))?;
        let new = Document::parse(Bytes::copy_from_slice(text.as_bytes()));
        new.ok_or_else(|| EditError::Json(pointer.to_owned()))?;
        let body = self.body.ok_or(EditError::NoBody)?;
        if self.document.is_none() {
            self.document = Some(Document::parse(body.clone()).ok_or(EditError::NoJson)?);
        }
        let found = self
            .document
            .iter()
            .flat_map(|document| document.find(&parsed));
        let replacements =
            found.map(|node| Replacement::new(node.span(), text.as_bytes().to_vec()));
        self.replacements.extend(replacements);
        Ok(())
    }

    /// Sorts the replacements. Replacements that overlap are an error.
    fn sort(&mut self) -> Result<(), EditError> {
        self.replacements
            .sort_by_key(|replacement| (replacement.range.start, replacement.range.end));
        let mut end = 0;
        for replacement in &self.replacements {
            if replacement.range.start < end {
                return Err(EditError::Overlap(replacement.range.start));
            }
            end = replacement.range.end;
        }
        Ok(())
    }

    /// The position of a boundary after the replacements, which must be sorted.
    fn moved_boundary(&self, boundary: usize) -> usize {
        let before = self
            .replacements
            .iter()
            .filter(|replacement| replacement.range.start < boundary);
        before.fold(boundary, |moved, replacement| {
            let old = replacement.range.end.min(boundary) - replacement.range.start;
            moved - old + replacement.value.len()
        })
    }

    fn finish(mut self) -> Result<Option<Bytes>, EditError> {
        self.sort()?;
        let body = self.body.map(AsRef::as_ref).unwrap_or_default();
        Ok(splice::in_order(body, &self.replacements).map(Bytes::from))
    }
}

fn range(start: u64, end: u64) -> Option<Range<usize>> {
    let range = usize::try_from(start).ok()?..usize::try_from(end).ok()?;
    (range.start <= range.end).then_some(range)
}
