//! JSON values as Rust values, and back.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Reads what [`crate::Message::json`] gave.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// Writes what [`crate::Edit::replace_json`] takes.
pub fn write(value: impl Serialize) -> Result<String, String> {
    serde_json::to_string(&value).map_err(|error| error.to_string())
}
