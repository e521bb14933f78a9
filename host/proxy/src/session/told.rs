//! What the upstream tells a client in coded bodies, in messages and after a body. Other bodies are
//! read as they arrive.

use ouli_message::Exchange;
use ouli_message::stream::{Message, Side, Stream};
use ouli_redaction::{Secrets, WordReader};

/// Learns the words of a decoded exchange.
pub(super) fn learn(exchange: &Exchange, secrets: &Secrets) {
    let tell = |bytes: &[u8]| secrets.tell(&mut WordReader::default(), bytes);
    let response = &exchange.response;
    if response.fields.get_str("content-encoding").is_some() {
        tell(response.body.inline());
    }
    let messages = exchange.stream.iter().flat_map(Stream::messages);
    let told = messages.filter(|message: &&Message| message.side == Side::Server);
    told.for_each(|message| tell(message.kind.inline_bytes()));
    let trailers = response.trailers.iter();
    trailers.for_each(|(_, value)| tell(value.as_bytes()));
}
