//! The table of all limits: `define_limits!` makes the fields of [`Limits`], their defaults and the
//! rows of [`LIMITS`] from the group files.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::clients::client_limits;
use super::plugins::plugin_limits;
use super::recording::recording_limits;
use super::streams::stream_limits;
use super::upstreams::upstream_limits;
use crate::units::{ByteSize, DAY, GIB, HOUR, HumanDuration, KIB, MIB, MINUTE, MS, SECOND};

/// A limit: one key of `[limits]`.
#[derive(Clone, Debug)]
pub struct Limit {
    /// The key in `[limits]`, which is also the name of the field of [`Limits`].
    pub key: &'static str,
    /// What it bounds, and what happens beyond it.
    pub description: &'static str,
    /// Why the default has its value: a standard, the default of another program, or a reason.
    pub rationale: &'static str,
    pub(super) unit: Unit,
    /// The allowed values, as amounts (see [`Amount`]).
    pub(super) range: RangeInclusive<u64>,
    pub(super) scope: Scope,
    pub(super) get: fn(&Limits) -> u64,
    pub(super) set: fn(&mut Limits, u64),
}

/// Limits that belong together.
#[derive(Clone, Copy, Debug)]
pub struct LimitGroup {
    /// What they are about, in a few words.
    pub title: &'static str,
    /// The limits, in the order of the listing.
    pub rows: &'static [Limit],
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Count,
    Bytes,
    Time,
}

/// Where and when a new value of a limit takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// At a reload of the configuration.
    Reload,
    /// At the next start, since it sizes something that outlives reloads.
    RestartOnly,
    /// At a reload; each plugin may have a value of its own.
    PerPlugin,
}

/// The value of a limit as one number: a count, bytes, or microseconds.
trait Amount {
    fn to_amount(&self) -> u64;
    /// An amount that the type cannot hold becomes its maximum.
    fn from_amount(amount: u64) -> Self;
}

/// Makes [`Limits`], its defaults and [`LIMITS`] from the groups. A row reads
///
/// ```text
/// /// The description.
/// key: type = default, Unit(range), Scope,
///     "the rationale";
/// ```
///
/// Without a scope a row has `Scope::Reload`.
macro_rules! define_limits {
    ({ $($title:literal { $(
        $(#[doc = $description:literal])+
        $key:ident: $type:ty = $default:expr, $unit:ident($range:expr) $(, $scope:ident)?,
            $rationale:literal;
    )+ })+ }) => {
        /// The limits in force. Sizes are bytes; each value is in the range of its row in
        /// [`LIMITS`].
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Limits {
            $($( $(#[doc = $description])+ pub $key: $type, )+)+
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($( $key: Amount::from_amount($default), )+)+ }
            }
        }

        /// Every limit, in the order of the listing.
        pub const LIMITS: &[LimitGroup] = &[$(LimitGroup {
            title: $title,
            rows: &[$(Limit {
                key: stringify!($key),
                // Each line of a doc comment begins with a space.
                description: concat!($($description),+).trim_ascii_start(),
                rationale: $rationale,
                unit: Unit::$unit,
                range: $range,
                scope: define_limits!(scope $($scope)?),
                get: |limits| limits.$key.to_amount(),
                set: |limits, amount| limits.$key = Amount::from_amount(amount),
            }),+],
        }),+];
    };
    (scope) => { Scope::Reload };
    (scope $scope:ident) => { Scope::$scope };
}

// Each macro appends its group and calls the next one, in the order of the listing.
client_limits! { upstream_limits recording_limits stream_limits plugin_limits define_limits {} }

impl Limit {
    /// The value in `limits`, as it is written in the configuration.
    pub fn format_value(&self, limits: &Limits) -> String {
        self.format_amount((self.get)(limits))
    }

    /// The line of `[limits]` that sets the value in `limits`.
    pub fn toml_line(&self, limits: &Limits) -> String {
        let (key, value) = (self.key, self.toml_value((self.get)(limits)));
        format!("{key} = {value}")
    }

    /// The smallest and the largest allowed value, as they are written in the configuration.
    pub fn range_text(&self) -> (String, String) {
        (
            self.format_amount(*self.range.start()),
            self.format_amount(*self.range.end()),
        )
    }

    /// True if a new value takes effect at the next start only.
    pub fn is_restart_only(&self) -> bool {
        self.scope == Scope::RestartOnly
    }

    /// True if each plugin may have a value of its own.
    pub(super) fn is_per_plugin(&self) -> bool {
        self.scope == Scope::PerPlugin
    }

    /// An amount as a TOML value.
    pub(super) fn toml_value(&self, amount: u64) -> String {
        let value = self.format_amount(amount);
        match self.unit {
            Unit::Count => value,
            Unit::Bytes | Unit::Time => format!("\"{value}\""),
        }
    }

    pub(super) fn format_amount(&self, amount: u64) -> String {
        match self.unit {
            Unit::Count => amount.to_string(),
            Unit::Bytes => ByteSize(amount).to_string(),
            Unit::Time => HumanDuration(Duration::from_micros(amount)).to_string(),
        }
    }
}

impl Amount for usize {
    fn to_amount(&self) -> u64 {
        *self as u64
    }

    fn from_amount(amount: u64) -> Self {
        Self::try_from(amount).unwrap_or(Self::MAX)
    }
}

impl Amount for u32 {
    fn to_amount(&self) -> u64 {
        u64::from(*self)
    }

    fn from_amount(amount: u64) -> Self {
        Self::try_from(amount).unwrap_or(Self::MAX)
    }
}

impl Amount for Duration {
    fn to_amount(&self) -> u64 {
        u64::try_from(self.as_micros()).unwrap_or(u64::MAX)
    }

    fn from_amount(amount: u64) -> Self {
        Self::from_micros(amount)
    }
}

/// The rows of all groups.
pub(super) fn rows() -> impl Iterator<Item = &'static Limit> {
    LIMITS.iter().flat_map(|group| group.rows)
}
