//! Keys: requests with equal keys match. A key has named parts, kept as digests for look-ups and
//! described in full for reports.

mod accept;
mod body;
mod capture;
mod credentials;
mod derive;
mod describe;
mod digest;
mod exclusions;
mod holes;
mod json;
mod keyed_message;
mod lines;
mod minted;
mod minted_message;
mod minted_places;
mod minted_role;
mod minted_rules;
#[cfg(test)]
mod minted_tests;
mod minted_values;
mod name_list;
mod number;
mod part;
pub(crate) mod path;
mod repeated_names;
#[cfg(test)]
pub(crate) mod sample_message;
mod selecting_fields;
#[cfg(test)]
mod tests;
mod value;
mod value_digest;
mod variant;

pub use capture::{Capture, captures};
pub use derive::{Key, PartDigest, derive};
pub use describe::{BodyPart, DescribedPart, Value, describe};
pub use holes::IdentityUse;
pub use json::{Json, Number};
pub use keyed_message::KeyedMessage;
pub use minted::differ_in_shape;
pub use minted_role::{JsonValue, Role};
pub use minted_rules::MintedRules;
pub use minted_values::MintedValue;
pub use name_list::ExcludedNames;
pub use part::{HEADER_PREFIX, KeyPart};
pub use selecting_fields::SelectingFields;
pub use variant::{Criteria, Variant};
