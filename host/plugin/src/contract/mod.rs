//! The contract in `wit/`: generated bindings, host imports and what guests see of a message.

pub(crate) mod bindings;
pub(crate) mod call_state;
pub(crate) mod chunks;
pub(crate) mod conversation_message;
pub(crate) mod imports;
pub(crate) mod stream_part;
pub(crate) mod wasi;
