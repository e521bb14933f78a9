//! Conversion between JSON text and Rust values.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Parses the text that [`crate::Message::json`] returns.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// Writes the text that [`crate::Edit::replace_json`] takes.
pub fn write(value: impl Serialize) -> Result<String, String> {
    serde_json::to_string(&value).map_err(|error| error.to_string())
}
