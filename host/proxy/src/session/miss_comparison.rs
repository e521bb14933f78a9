//! Bounds the cost of comparing a request with recorded ones for the report of a miss
//! (`limits.miss_comparison`).

use std::sync::Arc;

use bytes::Bytes;

use ouli_codec::MessageView;
use ouli_codec::json::Document;
use ouli_codec::minted_values::MintedValues;
use ouli_matching::key::{Key, PartDigest};
use ouli_message::Fields;
use ouli_message::stream::Side;

/// Maximum number of recorded requests that are compared part by part.
pub(crate) const MAX_COMPARED: usize = 24;

/// The share of the limit that one body may use.
const BODY_SHARE: usize = 4;

/// Copies of a text while it is redacted, described and compared.
const COPIES: usize = 4;

/// Memory of the description of one JSON value, for each byte of its entry in a document's table.
const MEMORY_PER_TABLE_BYTE: usize = 32;

/// The memory that is left for comparing bodies.
#[derive(Debug)]
pub(crate) struct ComparisonBudget {
    max_body: usize,
    left: usize,
}

impl ComparisonBudget {
    /// A budget of `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            max_body: limit / BODY_SHARE,
            left: limit,
        }
    }

    /// True if a body of this size is compared by its size and digest only.
    pub(crate) fn is_too_large(&self, body: usize) -> bool {
        body.saturating_mul(COPIES) > self.max_body
    }

    /// True if nothing is left: further requests are not compared.
    pub(super) fn is_used_up(&self) -> bool {
        self.left == 0
    }

    /// The message with its body, or with a summary of its body if the body is too large. Counts
    /// what its comparison takes. `body` is the size of the body before redaction, and `digest`
    /// differs where bodies do not match.
    pub(crate) fn admit(
        &mut self,
        message: Arc<dyn MessageView>,
        body: usize,
        digest: Option<u64>,
    ) -> Arc<dyn MessageView> {
        match self.has_room(&*message, body) {
            true => message,
            false => summarized(message, body, digest),
        }
    }

    /// Counts what the comparison of a message with its body takes. False if the body is too large.
    pub(super) fn has_room(&mut self, message: &dyn MessageView, body: usize) -> bool {
        if self.is_too_large(body) {
            return false;
        }
        let table = message.json().map_or(0, Document::table_size);
        let cost = body * COPIES + table.saturating_mul(MEMORY_PER_TABLE_BYTE);
        if cost > self.max_body {
            return false;
        }
        self.left = self.left.saturating_sub(cost);
        true
    }
}

/// The digest of the body in a key.
pub(crate) fn body_digest(key: &Key) -> Option<u64> {
    let name = PartDigest::name_of("body");
    let body = key.parts().iter().find(|part| part.name == name);
    body.map(|part| part.value)
}

fn summarized(
    message: Arc<dyn MessageView>,
    body: usize,
    digest: Option<u64>,
) -> Arc<dyn MessageView> {
    let digest = digest.map_or(String::new(), |digest| format!(", digest {digest:016x}"));
    let summary = format!("{body} bytes{digest}");
    Arc::new(SummarizedBody {
        message,
        body: summary.into(),
    })
}

/// A message with a text in place of its body.
struct SummarizedBody {
    message: Arc<dyn MessageView>,
    body: Bytes,
}

impl MessageView for SummarizedBody {
    fn kind(&self) -> &'static str {
        self.message.kind()
    }

    fn side(&self) -> Side {
        self.message.side()
    }

    fn is_binary(&self) -> bool {
        self.message.is_binary()
    }

    fn is_websocket(&self) -> bool {
        self.message.is_websocket()
    }

    fn endpoint(&self) -> &str {
        self.message.endpoint()
    }

    fn session(&self) -> &str {
        self.message.session()
    }

    fn method(&self) -> &str {
        self.message.method()
    }

    fn authority(&self) -> &str {
        self.message.authority()
    }

    fn path(&self) -> &str {
        self.message.path()
    }

    fn query(&self) -> &[(String, String)] {
        self.message.query()
    }

    fn status(&self) -> u16 {
        self.message.status()
    }

    fn fields(&self) -> &Fields {
        self.message.fields()
    }

    fn body(&self) -> &Bytes {
        &self.body
    }

    fn is_summarized(&self) -> bool {
        true
    }

    fn minted_values(&self) -> Option<&MintedValues> {
        self.message.minted_values()
    }

    fn json(&self) -> Option<&Document> {
        None
    }
}
