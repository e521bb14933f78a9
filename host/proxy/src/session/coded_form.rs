//! Decides whether the coded bytes of a response are kept beside its decoded body.
//!
//! They are kept if redaction changed nothing, and if they hold nothing that is neither in the body
//! nor shown to be no secret: names and comments of containers, skipped frames, bytes after the
//! end.

use bytes::Bytes;
use http::StatusCode;

use super::outcome::Outcome;
use super::record_check::GuardCheck;
use ouli_codec::content_coding::{self, Coding, Extra, ReceivedBody};
use ouli_config::Defect;
use ouli_message::{CodedBody, Content, Exchange, Response};

/// Other bytes would not fit into the whole, whose part `content-range` names.
const PART: &str = "a partial response (206) with a content coding cannot be redacted";

/// What is known of the coded body of a response until the response is redacted.
#[derive(Debug, Default)]
pub(super) struct CodedForm {
    /// The codings that were removed; empty if there is nothing to keep.
    removed: Vec<Coding>,
    /// The codings that the header named.
    named: Vec<Coding>,
    /// What the coded body held besides the body.
    extra: Extra,
}

impl CodedForm {
    /// Sets the decoded body of a response, and the bytes from which it was decoded.
    pub(super) fn set_body(response: &mut Response, raw: Bytes, received: ReceivedBody) -> Self {
        response.body = Content::Inline(received.bytes);
        if received.removed.is_empty() {
            if received.is_mislabelled {
                response.coded = CodedBody::Undecoded;
            }
            return Self::default();
        }
        response.coded = CodedBody::Exact(Content::Inline(raw));
        Self {
            removed: received.removed,
            named: content_coding::of(&response.fields).unwrap_or_default(),
            extra: received.extra,
        }
    }

    /// Keeps the coded bytes of a redacted response, or forgets them. `is_clean` tells whether
    /// redaction finds no secret in some bytes.
    ///
    /// # Errors
    /// If the bytes after the end of the coding cannot be recorded, or if the coded bytes of a
    /// partial response cannot be kept.
    pub(super) fn settle(
        self,
        exchange: &mut Exchange,
        check: &GuardCheck,
        is_clean: impl Fn(&Exchange, &Bytes) -> Result<bool, Outcome>,
    ) -> Result<(), Outcome> {
        let Self {
            removed,
            named,
            extra,
        } = self;
        if removed.is_empty() {
            return Ok(());
        }
        if !extra.has_padding_only() && !is_clean(exchange, &extra.tail)? {
            let reason = "a secret follows the end of the content coding of a response";
            return Err(Outcome::Failed(Defect::Secret, reason.to_owned()));
        }
        let is_relabelled =
            content_coding::of(&exchange.response.fields).ok() != Some(named.clone());
        let metadata = Bytes::from(extra.metadata);
        let is_opaque = !metadata.is_empty() && !content_coding::is_text(&metadata);
        if let Some(coded) = exchange.response.coded.exact()
            && (is_relabelled
                || extra.has_hidden_metadata
                || is_opaque
                || check.scan_coded(coded.inline()).is_err()
                || !(metadata.is_empty() || is_clean(exchange, &metadata)?))
        {
            exchange.response.coded.forget_exact();
        }
        let is_part = exchange.response.status == StatusCode::PARTIAL_CONTENT;
        if is_part && exchange.response.coded.exact().is_none() {
            return Err(Outcome::Failed(Defect::Undecodable, PART.to_owned()));
        }
        let is_derivable = removed == named && extra.tail.is_empty();
        if exchange.response.coded == CodedBody::Derived && !is_derivable && !is_relabelled {
            let coded = encode_with_tail(exchange.response.body.inline(), &removed, &extra.tail)?;
            check.scan_coded(&coded)?;
            exchange.response.coded = CodedBody::Exact(Content::Inline(coded));
        }
        Ok(())
    }
}

/// The coded form of a body that redaction changed, if it does not follow from the header.
fn encode_with_tail(body: &[u8], removed: &[Coding], tail: &[u8]) -> Result<Bytes, Outcome> {
    let coded = content_coding::encode(body, removed);
    let coded = coded.map_err(|error| Outcome::Failed(Defect::Undecodable, error.to_string()))?;
    Ok([&coded, tail].concat().into())
}
