//! What the upstream tells a client.

use ouli_message::Exchange;
use ouli_message::stream::{Side, Stream};
use ouli_redaction::{Secrets, WordReader};

/// Learns the words of a decoded exchange. If `is_read`, what has no coding was read as it arrived.
pub(super) fn learn(exchange: &Exchange, secrets: &Secrets, is_read: bool) {
    let tell = |bytes: &[u8]| secrets.tell(&mut WordReader::default(), bytes);
    let response = &exchange.response;
    if !is_read || response.fields.get_str("content-encoding").is_some() {
        tell(response.body.inline());
    }
    let messages = exchange.stream.iter().flat_map(Stream::messages);
    let told = messages.filter(|message| message.side == Side::Server);
    told.for_each(|message| tell(message.kind.inline_bytes()));
    let fields = response.fields.iter().filter(|_| !is_read);
    let fields = fields.chain(response.trailers.iter());
    fields.for_each(|(_, value)| tell(value.as_bytes()));
}
