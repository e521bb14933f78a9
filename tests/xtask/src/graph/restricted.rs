//! External crates that only certain workspace crates may depend on.

use super::metadata::{Dependency, Package};

/// An external crate and the workspace crates with a normal dependency on it.
struct Restriction {
    /// The name of the crate; a final `*` matches any ending.
    name: &'static str,
    /// The restriction is for this feature only.
    feature: Option<&'static str>,
    /// Short names of workspace crates.
    allowed: &'static [&'static str],
}

const RESTRICTIONS: [Restriction; 5] = [
    restrict("wasmtime*", None, &["plugin"]),
    restrict("h2", None, &["net"]),
    restrict("hyper", Some("server"), &["net"]),
    restrict("rustls", None, &["net"]),
    restrict("tokio-rustls", None, &["net"]),
];

const fn restrict(
    name: &'static str,
    feature: Option<&'static str>,
    allowed: &'static [&'static str],
) -> Restriction {
    Restriction {
        name,
        feature,
        allowed,
    }
}

/// A restricted dependency that a crate has.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RestrictedDependency {
    /// Name and feature of the external crate.
    pub(super) name: String,
    /// The crates that may use it, if this one may not.
    pub(super) forbidden: Option<&'static [&'static str]>,
}

/// The restricted dependencies of a package.
pub(super) fn check(package: &Package) -> Vec<RestrictedDependency> {
    let normal = || package.dependencies.iter().filter(|used| used.is_normal());
    let mut found: Vec<RestrictedDependency> = RESTRICTIONS
        .iter()
        .flat_map(|rule| {
            normal()
                .filter(|used| rule.covers(used))
                .map(|used| rule.judge(package, used))
        })
        .collect();
    // A dependency may be listed once for each target platform.
    found.dedup();
    found
}

impl Restriction {
    fn covers(&self, used: &Dependency) -> bool {
        let named = match self.name.strip_suffix('*') {
            Some(start) => used.name.starts_with(start),
            None => used.name == self.name,
        };
        let feature = |wanted: &str| used.features.iter().any(|feature| feature == wanted);
        named && self.feature.is_none_or(feature)
    }

    fn judge(&self, package: &Package, used: &Dependency) -> RestrictedDependency {
        let name = match self.feature {
            Some(feature) => format!("{} (feature {feature})", used.name),
            None => used.name.clone(),
        };
        let allowed = self.allowed.contains(&package.short_name.as_str());
        RestrictedDependency {
            name,
            forbidden: (!allowed).then_some(self.allowed),
        }
    }
}
