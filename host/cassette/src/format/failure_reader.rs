//! Reads the member `failure` of an exchange.

use serde::de::{Deserialize, Deserializer, Error};

use super::strict_json::{Object, Text};
use ouli_message::failure::{Failure, FailureCause, FailureKind, Phase};

/// A parsed failure.
pub(super) struct FailureMembers(pub(super) Failure);

impl<'de> Deserialize<'de> for FailureMembers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Object(members) = Object::<Members>::deserialize(deserializer)?;
        let cause = FailureCause {
            phase: members.phase,
            kind: members.what,
            code: members.code,
        };
        let at = members.at;
        Ok(Self(Failure { cause, at }))
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    #[serde(deserialize_with = "read_phase")]
    phase: Phase,
    #[serde(deserialize_with = "read_kind")]
    what: FailureKind,
    #[serde(default)]
    code: Option<u32>,
    #[serde(default)]
    at: u64,
}

fn read_phase<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Phase, D::Error> {
    read_name(deserializer, &Phase::ALL, Phase::name)
}

fn read_kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<FailureKind, D::Error> {
    read_name(deserializer, &FailureKind::ALL, FailureKind::name)
}

fn read_name<'de, T: Copy, D: Deserializer<'de>>(
    deserializer: D,
    all: &[T],
    name: fn(T) -> &'static str,
) -> Result<T, D::Error> {
    let Text(text) = Text::deserialize(deserializer)?;
    let found = all.iter().find(|value| name(**value) == text);
    found.copied().ok_or_else(|| {
        let names: Vec<_> = all
            .iter()
            .map(|value| format!("`{}`", name(*value)))
            .collect();
        Error::custom(format!("expected one of {}", names.join(", ")))
    })
}
