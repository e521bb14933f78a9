//! What both sides agree on about `permessage-deflate` (RFC 7692, section 7.1).

use http::{HeaderMap, HeaderValue};

use super::extension::{Extension, ExtensionError, Parameter};

pub(super) const DEFLATE: &str = "permessage-deflate";
/// The logarithm of the largest window, and what counts where nothing is said.
const MAX_BITS: u8 = 15;

/// What both sides agreed on about `permessage-deflate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeflateParams {
    /// The client begins each message with an empty window.
    pub client_no_context_takeover: bool,
    /// The server begins each message with an empty window.
    pub server_no_context_takeover: bool,
    /// The logarithm of the client's window, 8 to 15.
    pub client_max_window_bits: u8,
    /// The logarithm of the server's window, 8 to 15.
    pub server_max_window_bits: u8,
}

impl Default for DeflateParams {
    /// What a bare `permessage-deflate` says.
    fn default() -> Self {
        Self {
            client_no_context_takeover: false,
            server_no_context_takeover: false,
            client_max_window_bits: MAX_BITS,
            server_max_window_bits: MAX_BITS,
        }
    }
}

impl DeflateParams {
    /// What the header of a response agrees to. None where it names no extension; an error where it
    /// names one that is unknown here, since frames can then not be read.
    pub fn from_response(response: &HeaderMap) -> Result<Option<Self>, ExtensionError> {
        let mut agreed = None;
        for extension in Extension::all(response)? {
            if !extension.name.eq_ignore_ascii_case(DEFLATE) {
                return Err(ExtensionError::Unknown(extension.name));
            }
            if agreed.is_some() {
                return Err(ExtensionError::Duplicate(extension.name));
            }
            agreed = Some(OfferParams::of_response(&extension)?.deflate());
        }
        Ok(agreed)
    }

    /// The response to a client's offers that is nearest to what a recorded server agreed to, and
    /// what it means. None where the client offers no `permessage-deflate` that can be accepted:
    /// the conversation then goes on without compression.
    pub fn negotiate(offers: &HeaderMap, recorded: &Self) -> Option<(HeaderValue, Self)> {
        let offers = Extension::all(offers).ok()?;
        let offers = offers
            .iter()
            .filter(|offer| offer.name.eq_ignore_ascii_case(DEFLATE))
            .filter_map(|offer| OfferParams::of(offer).ok());
        // The client's order decides between those that are equally near.
        let best = offers
            .map(|offer| offer.nearest_response(recorded))
            .min_by_key(|accepted| accepted.deflate().distance(recorded))?;
        let value = HeaderValue::try_from(best.to_string()).ok()?;
        Some((value, best.deflate()))
    }

    /// In how many parameters two agreements differ.
    fn distance(&self, other: &Self) -> usize {
        [
            self.client_no_context_takeover != other.client_no_context_takeover,
            self.server_no_context_takeover != other.server_no_context_takeover,
            self.client_max_window_bits != other.client_max_window_bits,
            self.server_max_window_bits != other.server_max_window_bits,
        ]
        .into_iter()
        .filter(|differs| *differs)
        .count()
    }
}

/// Checks that a response names only what was offered, and `permessage-deflate` only on terms that
/// one of the offers allows.
pub(super) fn check(request: &HeaderMap, response: &HeaderMap) -> Result<(), ExtensionError> {
    let offers = Extension::all(request)?;
    let accepted = Extension::all(response)?;
    for (at, extension) in accepted.iter().enumerate() {
        let same = |other: &&Extension| other.name.eq_ignore_ascii_case(&extension.name);
        if accepted[..at].iter().any(|other| same(&other)) {
            return Err(ExtensionError::Duplicate(extension.name.clone()));
        }
        let mut own = offers.iter().filter(same).peekable();
        if own.peek().is_none() {
            return Err(ExtensionError::NotOffered(extension.name.clone()));
        }
        if extension.name.eq_ignore_ascii_case(DEFLATE) {
            let terms = OfferParams::of_response(extension)?;
            // What the server cannot read it has to decline, so such an offer allows nothing.
            let mut own = own.filter_map(|offer| OfferParams::of(offer).ok());
            if !own.any(|offer| offer.allows(&terms)) {
                return Err(ExtensionError::NotAllowed(terms.to_string()));
            }
        }
    }
    Ok(())
}

/// The parameters of one `permessage-deflate`, as they are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct OfferParams {
    client_no_context_takeover: bool,
    server_no_context_takeover: bool,
    /// An offer may name it without a value.
    client_max_window_bits: Option<Option<u8>>,
    server_max_window_bits: Option<u8>,
}

impl OfferParams {
    fn of(extension: &Extension) -> Result<Self, ExtensionError> {
        let mut terms = Self::default();
        for parameter in &extension.parameters {
            terms
                .take(parameter)
                .ok_or_else(|| ExtensionError::Parameter(parameter.name.clone()))?;
        }
        Ok(terms)
    }

    /// In a response every size of a window has a value.
    fn of_response(extension: &Extension) -> Result<Self, ExtensionError> {
        let terms = Self::of(extension)?;
        match terms.client_max_window_bits {
            Some(None) => Err(ExtensionError::Parameter(CLIENT_MAX_WINDOW_BITS.to_owned())),
            None | Some(Some(_)) => Ok(terms),
        }
    }

    /// None where the parameter is unknown, stands twice, or has a wrong value.
    fn take(&mut self, parameter: &Parameter) -> Option<()> {
        let value = parameter.value.as_deref();
        let own = |name| parameter.name.eq_ignore_ascii_case(name);
        if own(CLIENT_NO_CONTEXT_TAKEOVER) {
            let first = !std::mem::replace(&mut self.client_no_context_takeover, true);
            (first && value.is_none()).then_some(())
        } else if own(SERVER_NO_CONTEXT_TAKEOVER) {
            let first = !std::mem::replace(&mut self.server_no_context_takeover, true);
            (first && value.is_none()).then_some(())
        } else if own(CLIENT_MAX_WINDOW_BITS) {
            let bits = match value {
                Some(value) => Some(bits(value)?),
                None => None,
            };
            let before = self.client_max_window_bits.replace(bits);
            before.is_none().then_some(())
        } else if own(SERVER_MAX_WINDOW_BITS) {
            let before = self.server_max_window_bits.replace(bits(value?)?);
            before.is_none().then_some(())
        } else {
            None
        }
    }

    fn deflate(&self) -> DeflateParams {
        DeflateParams {
            client_no_context_takeover: self.client_no_context_takeover,
            server_no_context_takeover: self.server_no_context_takeover,
            client_max_window_bits: self.client_max_window_bits.flatten().unwrap_or(MAX_BITS),
            server_max_window_bits: self.server_max_window_bits.unwrap_or(MAX_BITS),
        }
    }

    /// True where these terms of an offer allow a response.
    fn allows(&self, response: &Self) -> bool {
        let client = match (self.client_max_window_bits, response.client_max_window_bits) {
            (None, answered) => answered.is_none(),
            (Some(Some(hint)), Some(Some(answered))) => answered <= hint,
            (Some(_), _) => true,
        };
        let server = match (self.server_max_window_bits, response.server_max_window_bits) {
            (Some(most), answered) => answered.is_some_and(|answered| answered <= most),
            (None, _) => true,
        };
        let takeover = response.server_no_context_takeover || !self.server_no_context_takeover;
        client && server && takeover
    }

    /// The response to this offer that is nearest to what was recorded.
    fn nearest_response(&self, recorded: &DeflateParams) -> Self {
        let client = self.client_max_window_bits.and_then(|hint| {
            let smaller = recorded.client_max_window_bits < MAX_BITS;
            let bits = recorded
                .client_max_window_bits
                .min(hint.unwrap_or(MAX_BITS));
            smaller.then_some(Some(bits))
        });
        let most = self.server_max_window_bits;
        let server = recorded
            .server_max_window_bits
            .min(most.unwrap_or(MAX_BITS));
        Self {
            client_no_context_takeover: recorded.client_no_context_takeover,
            server_no_context_takeover: recorded.server_no_context_takeover
                || self.server_no_context_takeover,
            client_max_window_bits: client,
            server_max_window_bits: (most.is_some() || server < MAX_BITS).then_some(server),
        }
    }
}

const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";

/// 8 to 15, without zeros in front.
fn bits(value: &str) -> Option<u8> {
    let bits = value
        .parse()
        .ok()
        .filter(|bits| (8..=MAX_BITS).contains(bits))?;
    (!value.starts_with(['0', '+'])).then_some(bits)
}

impl std::fmt::Display for OfferParams {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(DEFLATE)?;
        if self.server_no_context_takeover {
            write!(out, "; {SERVER_NO_CONTEXT_TAKEOVER}")?;
        }
        if self.client_no_context_takeover {
            write!(out, "; {CLIENT_NO_CONTEXT_TAKEOVER}")?;
        }
        if let Some(bits) = self.server_max_window_bits {
            write!(out, "; {SERVER_MAX_WINDOW_BITS}={bits}")?;
        }
        match self.client_max_window_bits {
            None => Ok(()),
            Some(None) => write!(out, "; {CLIENT_MAX_WINDOW_BITS}"),
            Some(Some(bits)) => write!(out, "; {CLIENT_MAX_WINDOW_BITS}={bits}"),
        }
    }
}
