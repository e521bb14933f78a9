//! Negotiation of `permessage-deflate` (RFC 7692, section 7.1).

use http::{HeaderMap, HeaderValue};

use super::extension::{Extension, ExtensionError, Parameter};

pub(super) const DEFLATE: &str = "permessage-deflate";
/// Binary logarithm of the maximum window, which is the default.
const MAX_BITS: u8 = 15;

/// The negotiated parameters of `permessage-deflate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeflateParams {
    /// The client starts each message with an empty window.
    pub client_no_context_takeover: bool,
    /// The server starts each message with an empty window.
    pub server_no_context_takeover: bool,
    /// Binary logarithm of the client's window, 8 to 15.
    pub client_max_window_bits: u8,
    /// Binary logarithm of the server's window, 8 to 15.
    pub server_max_window_bits: u8,
}

impl Default for DeflateParams {
    /// The parameters of `permessage-deflate` without any.
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
    /// The parameters that a response accepts. None if it accepts no extension. An unknown
    /// extension is an error, since its frames cannot be decoded.
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

    /// The response to the offers of a client that is nearest to the recorded parameters, and its
    /// parameters. None if no offer of `permessage-deflate` is acceptable: the conversation is then
    /// not compressed.
    pub fn negotiate(offers: &HeaderMap, recorded: &Self) -> Option<(HeaderValue, Self)> {
        let offers = Extension::all(offers).ok()?;
        let offers = offers
            .iter()
            .filter(|offer| offer.name.eq_ignore_ascii_case(DEFLATE))
            .filter_map(|offer| OfferParams::of(offer).ok());
        // Among equally near offers, the first one of the client is chosen.
        let best = offers
            .map(|offer| offer.nearest_response(recorded))
            .min_by_key(|accepted| accepted.deflate().distance(recorded))?;
        let value = HeaderValue::try_from(best.to_string()).ok()?;
        Some((value, best.deflate()))
    }

    /// Number of parameters that differ.
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

/// Checks that a response accepts only offered extensions, and `permessage-deflate` only with
/// parameters that an offer allows.
pub(super) fn check(request: &HeaderMap, response: &HeaderMap) -> Result<(), ExtensionError> {
    let offers = Extension::all(request)?;
    let accepted = Extension::all(response)?;
    for (at, extension) in accepted.iter().enumerate() {
        let same = |other: &&Extension| other.name.eq_ignore_ascii_case(&extension.name);
        if accepted[..at].iter().any(|other| same(&other)) {
            return Err(ExtensionError::Duplicate(extension.name.clone()));
        }
        let mut candidates = offers.iter().filter(same).peekable();
        if candidates.peek().is_none() {
            return Err(ExtensionError::NotOffered(extension.name.clone()));
        }
        if extension.name.eq_ignore_ascii_case(DEFLATE) {
            let params = OfferParams::of_response(extension)?;
            // A server must decline a malformed offer, so such an offer allows nothing.
            let mut candidates = candidates.filter_map(|offer| OfferParams::of(offer).ok());
            if !candidates.any(|offer| offer.allows(&params)) {
                return Err(ExtensionError::NotAllowed(params.to_string()));
            }
        }
    }
    Ok(())
}

/// The parameters of one `permessage-deflate` as written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct OfferParams {
    client_no_context_takeover: bool,
    server_no_context_takeover: bool,
    /// The value is optional in an offer.
    client_max_window_bits: Option<Option<u8>>,
    server_max_window_bits: Option<u8>,
}

impl OfferParams {
    fn of(extension: &Extension) -> Result<Self, ExtensionError> {
        let mut params = Self::default();
        for parameter in &extension.parameters {
            params
                .take(parameter)
                .ok_or_else(|| ExtensionError::Parameter(parameter.name.clone()))?;
        }
        Ok(params)
    }

    /// The parameters of a response, in which every window size has a value.
    fn of_response(extension: &Extension) -> Result<Self, ExtensionError> {
        let params = Self::of(extension)?;
        match params.client_max_window_bits {
            Some(None) => Err(ExtensionError::Parameter(CLIENT_MAX_WINDOW_BITS.to_owned())),
            None | Some(Some(_)) => Ok(params),
        }
    }

    /// Sets a parameter. None if it is unknown, repeated, or has an invalid value.
    fn take(&mut self, parameter: &Parameter) -> Option<()> {
        let value = parameter.value.as_deref();
        let has_name = |name| parameter.name.eq_ignore_ascii_case(name);
        if has_name(CLIENT_NO_CONTEXT_TAKEOVER) {
            let first = !std::mem::replace(&mut self.client_no_context_takeover, true);
            (first && value.is_none()).then_some(())
        } else if has_name(SERVER_NO_CONTEXT_TAKEOVER) {
            let first = !std::mem::replace(&mut self.server_no_context_takeover, true);
            (first && value.is_none()).then_some(())
        } else if has_name(CLIENT_MAX_WINDOW_BITS) {
            let bits = match value {
                Some(value) => Some(bits(value)?),
                None => None,
            };
            let before = self.client_max_window_bits.replace(bits);
            before.is_none().then_some(())
        } else if has_name(SERVER_MAX_WINDOW_BITS) {
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

    /// True if this offer allows a response.
    fn allows(&self, response: &Self) -> bool {
        let client = match (self.client_max_window_bits, response.client_max_window_bits) {
            (None, accepted) => accepted.is_none(),
            (Some(Some(hint)), Some(Some(accepted))) => accepted <= hint,
            (Some(_), _) => true,
        };
        let server = match (self.server_max_window_bits, response.server_max_window_bits) {
            (Some(limit), accepted) => accepted.is_some_and(|accepted| accepted <= limit),
            (None, _) => true,
        };
        let takeover = response.server_no_context_takeover || !self.server_no_context_takeover;
        client && server && takeover
    }

    /// The response to this offer that is nearest to the recorded parameters.
    fn nearest_response(&self, recorded: &DeflateParams) -> Self {
        let client = self.client_max_window_bits.and_then(|hint| {
            let smaller = recorded.client_max_window_bits < MAX_BITS;
            let bits = recorded
                .client_max_window_bits
                .min(hint.unwrap_or(MAX_BITS));
            smaller.then_some(Some(bits))
        });
        let limit = self.server_max_window_bits;
        let server = recorded
            .server_max_window_bits
            .min(limit.unwrap_or(MAX_BITS));
        Self {
            client_no_context_takeover: recorded.client_no_context_takeover,
            server_no_context_takeover: recorded.server_no_context_takeover
                || self.server_no_context_takeover,
            client_max_window_bits: client,
            server_max_window_bits: (limit.is_some() || server < MAX_BITS).then_some(server),
        }
    }
}

const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";

/// A window size, 8 to 15 without leading zeros.
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
