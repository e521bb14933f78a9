//! The identities in a message, each with its place.
//!
//! The digest of a text does not depend on what is in its holes. Which identities are there is
//! collected beside it: they are compared modulo a renaming.

use std::ops::Range;
use std::sync::Arc;

use super::digest::{OrderedDigest, Tag, leaf, pair};
use super::minted::Minted;
use ouli_codec::MessageView;
use ouli_codec::identity::{Identity, has_hole, holes};
use ouli_codec::shape::Shape;

/// An identity in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityUse {
    /// The digest of its place. Messages with equal keys have identities in the same places.
    pub place: u128,
    /// The name of the part of the key, for reports.
    pub part: Arc<str>,
    /// The identity.
    pub identity: Identity,
}

/// Collects the identities of a message.
pub(super) struct Holes<'a> {
    message: &'a dyn MessageView,
    /// What the client made up.
    pub(super) minted: Arc<Minted<'a>>,
    /// The name of the part that is read.
    part: Arc<str>,
    /// The digest of the name of the part.
    root: u128,
    found: Vec<IdentityUse>,
}

impl<'a> Holes<'a> {
    pub(super) fn new(message: &'a dyn MessageView, minted: Minted<'a>) -> Self {
        Self {
            message,
            minted: Arc::new(minted),
            part: Arc::default(),
            root: 0,
            found: Vec::new(),
        }
    }

    /// From now on the part with this name is read.
    pub(super) fn begin_part(&mut self, name_digest: u128) {
        self.root = name_digest;
    }

    /// The identities that were found since there were this many are in the part with this name, if
    /// they have none yet.
    pub(super) fn end_part(&mut self, before: usize, name: impl FnOnce() -> String) {
        if self.found.len() > before {
            let name: Arc<str> = name().into();
            let found = self.found[before..].iter_mut();
            for found in found.filter(|it| it.part.is_empty()) {
                found.part = Arc::clone(&name);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.found.len()
    }

    /// The place of the part itself.
    pub(super) fn root(&self) -> u128 {
        self.root
    }

    /// The digest of a text in which holes are equal whatever belongs in them.
    pub(super) fn leaf(&mut self, tag: Tag, text: &[u8], place: u128) -> u128 {
        let gaps = self.gaps(text);
        if gaps.is_empty() {
            return leaf(tag, text);
        }
        let mut list = OrderedDigest::new(Tag::Holes);
        let mut from = 0;
        for (ordinal, (range, identity)) in gaps.into_iter().enumerate() {
            list.push(leaf(tag, &text[from..range.start]));
            from = range.end;
            if let Some(identity) = identity {
                self.add(child(place, ordinal as u128), identity);
            }
        }
        list.push(leaf(tag, &text[from..]));
        list.finish()
    }

    /// The holes of a text and the values in it that the client made up, in order.
    fn gaps(&self, text: &[u8]) -> Vec<(Range<usize>, Option<Identity>)> {
        let mut gaps = Vec::new();
        if has_hole(text) {
            let known = holes(text).filter_map(|(range, index)| {
                let content = self.message.hole(index)?;
                Some((range, content.identity))
            });
            gaps.extend(known);
        }
        if self.minted.is_searching() {
            let found = self.minted.find(text).into_iter();
            gaps.extend(found.map(|it| (it.range, Some(Identity::Minted(it.value)))));
            gaps.sort_by_key(|(range, _)| range.start);
        }
        gaps
    }

    /// The digest of a value in a place where the client makes it up. It depends neither on the
    /// value nor on its type, but tells a UUID from all others.
    pub(super) fn spot(&mut self, text: &str, place: u128) -> u128 {
        let place = child(place, leaf(Tag::Minted, &[]));
        match self.minted.get(text) {
            Some(value) => self.add(place, Identity::Minted(value)),
            None if has_hole(text.as_bytes()) => {
                self.leaf(Tag::Minted, text.as_bytes(), place);
            }
            None => self.add(place, Identity::Placed(place, text.into())),
        }
        match Shape::of(text) {
            Shape::Uuid => leaf(Tag::Minted, b"uuid"),
            Shape::Number | Shape::Word | Shape::Token => leaf(Tag::Minted, &[]),
        }
    }

    /// The same in a JSON body. Each client counts its calls of JSON-RPC anew, so a short id stands
    /// for no other one.
    pub(super) fn json_spot(&mut self, text: &str, place: u128) -> u128 {
        let is_call = !self.minted.spots.own.is_empty();
        match is_call && self.minted.get(text).is_none() {
            true => leaf(Tag::Minted, &[]),
            false => self.spot(text, place),
        }
    }

    /// Collects the identities in a text that is not part of the key.
    pub(super) fn collect(&mut self, text: &[u8], place: u128) {
        for (ordinal, (_, index)) in holes(text).enumerate() {
            let content = self.message.hole(index);
            if let Some(identity) = content.and_then(|content| content.identity) {
                self.add(child(place, ordinal as u128), identity);
            }
        }
    }

    fn add(&mut self, place: u128, identity: Identity) {
        self.found.push(IdentityUse {
            place,
            part: Arc::clone(&self.part),
            identity,
        });
    }

    /// The identities in the order of their places.
    pub(super) fn finish(mut self) -> Box<[IdentityUse]> {
        self.found.sort_by_key(|found| found.place);
        self.found.into()
    }
}

/// A place within another one.
pub(super) fn child(place: u128, step: u128) -> u128 {
    pair(Tag::Place, place, step)
}
