//! Changes that a plugin wants: checked all together, then applied all together.

use std::ops::Range;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue};

use crate::splice::{self, Replacement};
use ouli_codec::json::{Document, Pointer, PointerError};
use ouli_message::{Content, Fields, Request, Response};

/// One change to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Replaces every value of a header by these; without any the header is removed.
    SetHeader {
        /// Its name.
        name: String,
        /// Its new values.
        values: Vec<Vec<u8>>,
    },
    /// Removes a header.
    RemoveHeader {
        /// Its name.
        name: String,
    },
    /// Replaces a range of the body.
    Replace {
        /// The first byte.
        start: u64,
        /// The first byte that is not replaced.
        end: u64,
        /// What comes in their place.
        bytes: Vec<u8>,
    },
    /// Replaces every JSON value at a pointer; where there is none, nothing.
    ReplaceJson {
        /// The pointer.
        pointer: String,
        /// The new JSON text.
        text: String,
    },
    /// Replaces path and query.
    SetTarget(String),
}

/// Why changes cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// No name of a header.
    #[error("`{0}` is no name of a header")]
    HeaderName(String),
    /// A value that no header can have.
    #[error("the new value of header `{0}` is not valid")]
    HeaderValue(String),
    /// The body is not in memory.
    #[error("the body is not at hand")]
    NoBody,
    /// The range is not within the body.
    #[error("bytes {start} to {end} do not lie within a body of {size} bytes")]
    Range {
        /// The first byte.
        start: u64,
        /// The first byte that is not replaced.
        end: u64,
        /// Bytes of the body.
        size: usize,
    },
    /// Two changes touch the same bytes of the body.
    #[error("two changes overlap at byte {0} of the body")]
    Overlap(usize),
    /// The pointer is none.
    #[error("`{0}`: {1}")]
    Pointer(String, #[source] PointerError),
    /// The body is no JSON.
    #[error("the body is not JSON")]
    NoJson,
    /// The new text is no JSON.
    #[error("the new text at `{0}` is not JSON")]
    Json(String),
    /// The target is no path.
    #[error("the new target is not a path with a query")]
    Target,
    /// Responses have no target.
    #[error("a response has no target")]
    NoTarget,
    /// Messages of a stream have no header.
    #[error("a message of a stream has no header `{0}`")]
    NoHeader(String),
}

/// Applies all changes to a request, or none where one of them is not possible.
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

/// Applies all changes to a response, or none where one of them is not possible.
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

/// A part of a stream after its changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditedPart {
    /// Its bytes.
    pub bytes: Bytes,
    /// Where a border in it is now. Bytes that replaced some across it stand before it.
    pub boundary: usize,
}

/// Applies all changes to a part of a stream, or none where one of them is not possible. It has
/// no header and no target. `border` is a place in it that is to be found again.
pub fn edit_part(part: &Bytes, edits: Vec<Edit>, border: usize) -> Result<EditedPart, EditError> {
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
    body.check()?;
    let border = body.moved_boundary(border);
    let bytes = body.finish()?.unwrap_or_else(|| part.clone());
    Ok(EditedPart {
        bytes,
        boundary: border,
    })
}

/// Applies all changes to trailers, which have fields alone.
pub fn edit_trailers(trailers: &mut Fields, edits: Vec<Edit>) -> Result<(), EditError> {
    let plan = Plan::new(edits, &Content::EMPTY)?;
    if plan.target.is_some() {
        return Err(EditError::NoTarget);
    }
    plan.header.apply(trailers);
    Ok(())
}

/// Changes that are known to be possible.
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

/// The pieces of a body that are to be replaced.
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
        let pieces =
            found.map(|node| Replacement::new(node.span.clone(), text.as_bytes().to_vec()));
        self.replacements.extend(pieces);
        Ok(())
    }

    /// Puts the pieces in order; none may touch the bytes of another.
    fn check(&mut self) -> Result<(), EditError> {
        self.replacements
            .sort_by_key(|piece| (piece.range.start, piece.range.end));
        let mut end = 0;
        for piece in &self.replacements {
            if piece.range.start < end {
                return Err(EditError::Overlap(piece.range.start));
            }
            end = piece.range.end;
        }
        Ok(())
    }

    /// Where a place of the body is after the changes, which are in order.
    fn moved_boundary(&self, border: usize) -> usize {
        let before = self
            .replacements
            .iter()
            .filter(|piece| piece.range.start < border);
        before.fold(border, |moved, piece| {
            let old = piece.range.end.min(border) - piece.range.start;
            moved - old + piece.value.len()
        })
    }

    fn finish(mut self) -> Result<Option<Bytes>, EditError> {
        self.check()?;
        let body = self.body.map(AsRef::as_ref).unwrap_or_default();
        Ok(splice::in_order(body, &self.replacements).map(Bytes::from))
    }
}

fn range(start: u64, end: u64) -> Option<Range<usize>> {
    let range = usize::try_from(start).ok()?..usize::try_from(end).ok()?;
    (range.start <= range.end).then_some(range)
}
