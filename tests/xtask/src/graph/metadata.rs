//! The packages of the workspace, as `cargo metadata` reports them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

/// The folder that holds the crates to check.
const CRATES: &str = "host";

/// The workspace, with the packages below `host/` only.
#[derive(Debug)]
pub(super) struct Workspace {
    pub(super) root: PathBuf,
    pub(super) packages: Vec<Package>,
}

/// A package with a library or a program below `host/`.
#[derive(Debug)]
pub(super) struct Package {
    /// The name in Cargo.toml.
    pub(super) name: String,
    /// The folder below `host/`; the name of the package where its manifest is elsewhere.
    pub(super) short_name: String,
    /// The root files: lib.rs, main.rs.
    pub(super) roots: Vec<PathBuf>,
    pub(super) dependencies: Vec<Dependency>,
}

/// A direct dependency.
#[derive(Debug, Deserialize)]
pub(super) struct Dependency {
    pub(super) name: String,
    kind: Option<String>,
    #[serde(default)]
    pub(super) features: Vec<String>,
}

#[derive(Deserialize)]
struct RawMetadata {
    workspace_root: PathBuf,
    packages: Vec<RawPackage>,
}

#[derive(Deserialize)]
struct RawPackage {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
    targets: Vec<RawTarget>,
}

#[derive(Deserialize)]
struct RawTarget {
    kind: Vec<String>,
    src_path: PathBuf,
}

impl Workspace {
    /// Asks cargo for the workspace that `folder` belongs to.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        let output = Command::new("cargo")
            .args(["metadata", "--format-version", "1", "--no-deps"])
            .current_dir(folder)
            .output()
            .context("cannot run cargo metadata")?;
        ensure!(
            output.status.success(),
            "cargo metadata failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Self::parse(&output.stdout)
    }

    fn parse(json: &[u8]) -> anyhow::Result<Self> {
        let raw: RawMetadata =
            serde_json::from_slice(json).context("cannot read the output of cargo metadata")?;
        let crates = raw.workspace_root.join(CRATES);
        let mut packages: Vec<Package> = raw
            .packages
            .into_iter()
            .map(|package| Package::new(package, &crates))
            .filter(|package| !package.roots.is_empty())
            .collect();
        packages.sort_by(|one, other| one.short_name.cmp(&other.short_name));
        Ok(Self {
            root: raw.workspace_root,
            packages,
        })
    }

    /// The short names of all packages.
    pub(super) fn names(&self) -> Vec<String> {
        let names = self
            .packages
            .iter()
            .map(|package| package.short_name.clone());
        names.collect()
    }

    /// The short names of the workspace crates that a package uses directly.
    pub(super) fn uses(&self, package: &Package) -> Vec<String> {
        let used = self.used_by(package);
        used.map(|used| used.short_name.clone()).collect()
    }

    /// 0 for a package that uses no other of the workspace, else one above the highest used.
    /// Cargo allows no circle between packages.
    pub(super) fn layer(&self, package: &Package) -> usize {
        let below = self.used_by(package).map(|used| self.layer(used) + 1);
        below.max().unwrap_or(0)
    }

    fn used_by<'a>(&'a self, package: &'a Package) -> impl Iterator<Item = &'a Package> {
        self.packages.iter().filter(|other| {
            let mut dependencies = package.dependencies.iter();
            other.name != package.name
                && dependencies.any(|used| !used.is_dev() && used.name == other.name)
        })
    }
}

impl Package {
    fn new(raw: RawPackage, crates: &Path) -> Self {
        let folder = raw.manifest_path.parent().unwrap_or(crates);
        let short_name = match folder.strip_prefix(crates) {
            Ok(below) => below.display().to_string(),
            Err(_) => raw.name.clone(),
        };
        let roots = raw.targets.into_iter().filter(RawTarget::is_product);
        let roots = roots.map(|target| target.src_path);
        Self {
            name: raw.name,
            short_name,
            roots: roots.filter(|root| root.starts_with(crates)).collect(),
            dependencies: raw.dependencies,
        }
    }

    /// Whether the user means this package by `name`.
    pub(super) fn is_called(&self, name: &str) -> bool {
        self.name == name || self.short_name == name
    }
}

impl Dependency {
    /// Whether the library or the program itself uses it.
    pub(super) fn is_normal(&self) -> bool {
        self.kind.is_none()
    }

    fn is_dev(&self) -> bool {
        self.kind.as_deref() == Some("dev")
    }
}

impl RawTarget {
    /// A library or a program; no test, example, benchmark or build script.
    fn is_product(&self) -> bool {
        const PRODUCTS: [&str; 4] = ["lib", "rlib", "proc-macro", "bin"];
        self.kind
            .iter()
            .any(|kind| PRODUCTS.contains(&kind.as_str()))
    }
}
