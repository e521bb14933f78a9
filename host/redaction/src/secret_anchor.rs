//! The encodings of secrets by their anchors, and whether a text has one at a position.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use crate::anchor;
use crate::encoded_secret::EncodedSecret;
use crate::encodings::Encoding;
use crate::placeholder;
use crate::secret::Secret;
use crate::text_hash::TextHash;

/// A secret found in a text.
#[derive(Clone, Debug)]
pub struct Hit {
    /// Its byte range.
    pub range: Range<usize>,
    /// The secret.
    pub secret: Arc<Secret>,
}

/// One encoding of a secret, as a searcher knows it.
#[derive(Clone)]
pub(super) struct Anchor {
    /// The bytes of the anchor as a number.
    pub(super) word: u64,
    /// Length of the encoded secret. It determines the offset of the anchor in it.
    pub(super) len: usize,
    /// Hash of the encoded secret around the anchor. It tells secrets with equal anchors apart.
    pub(super) fingerprint: u64,
    /// Hash of the whole encoded secret.
    pub(super) whole: TextHash,
    pub(super) secret: Arc<Secret>,
    encoding: Encoding,
}

impl Anchor {
    /// True for the one anchor of the secret itself.
    pub(super) fn is_raw(&self) -> bool {
        self.encoding == Encoding::Raw
    }

    /// The secret, whose anchor the text has at a position. None if it is only a part of a word or
    /// of a placeholder there.
    pub(super) fn hit(&self, text: &[u8], at: usize) -> Option<Hit> {
        let mut range = anchor::range(text, at, self.len)?;
        range.end += self.encoding.padding_len(&text[range.end..]);
        let is_part_of_word = self.encoding == Encoding::Raw
            && self.secret.is_word()
            && !anchor::is_whole_word(text, &range);
        (!is_part_of_word && !placeholder::covers(text, &range)).then(|| Hit {
            range,
            secret: Arc::clone(&self.secret),
        })
    }
}

/// The anchors of a sorted slice that compare as equal.
pub(super) fn equal_run(anchors: &[Anchor], compare: impl Fn(&Anchor) -> Ordering) -> &[Anchor] {
    let from = anchors.partition_point(|anchor| compare(anchor).is_lt());
    let rest = &anchors[from..];
    &rest[..rest.partition_point(|anchor| compare(anchor).is_eq())]
}

/// The anchors of a secret in all its encodings.
pub(super) fn anchors(secret: &Arc<Secret>) -> Vec<Anchor> {
    let encodings = EncodedSecret::all(secret.value()).into_iter();
    let long = encodings.filter(|encoded| encoded.len >= anchor::LEN);
    long.map(|encoded| {
        let (window, at) = anchor::window(encoded.len);
        let around = encoded.part(window);
        Anchor {
            word: anchor::word(&around, at),
            len: encoded.len,
            fingerprint: xxh3_64(&around),
            secret: Arc::clone(secret),
            whole: encoded.hash,
            encoding: encoded.encoding,
        }
    })
    .collect()
}

/// The hash of the bytes around the anchor at a position, for an encoded secret of this length. It
/// tells secrets with equal anchors apart. None if the text is too short for it.
pub(super) fn fingerprint(text: &[u8], at: usize, len: usize) -> Option<u64> {
    anchor::surroundings(text, at, len).map(xxh3_64)
}
