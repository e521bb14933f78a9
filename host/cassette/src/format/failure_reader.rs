//! Text to failures: what an exchange has in the member `failure`.

use serde::de::{Deserialize, Deserializer, Error};

use super::strict_json::{Object, Text};
use ouli_message::failure::{Failure, FailureCause, FailureKind, Phase};

/// A failure as it was read.
pub(super) struct FailureMembers(pub(super) Failure);

impl<'de> Deserialize<'de> for FailureMembers {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Object(members) = Object::<Members>::deserialize(from)?;
        let fault = FailureCause {
            phase: members.phase,
            kind: members.what,
            code: members.code,
        };
        let at = members.at;
        Ok(Self(Failure { cause: fault, at }))
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    #[serde(deserialize_with = "phase")]
    phase: Phase,
    #[serde(deserialize_with = "what")]
    what: FailureKind,
    #[serde(default)]
    code: Option<u32>,
    #[serde(default)]
    at: u64,
}

fn phase<'de, D: Deserializer<'de>>(from: D) -> Result<Phase, D::Error> {
    word(from, &Phase::ALL, Phase::name)
}

fn what<'de, D: Deserializer<'de>>(from: D) -> Result<FailureKind, D::Error> {
    word(from, &FailureKind::ALL, FailureKind::name)
}

fn word<'de, T: Copy, D: Deserializer<'de>>(
    from: D,
    all: &[T],
    name: fn(T) -> &'static str,
) -> Result<T, D::Error> {
    let Text(word) = Text::deserialize(from)?;
    let found = all.iter().find(|one| name(**one) == word);
    found.copied().ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|one| format!("`{}`", name(*one))).collect();
        Error::custom(format!("expected one of {}", names.join(", ")))
    })
}
