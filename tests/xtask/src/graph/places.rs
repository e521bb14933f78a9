//! Files of modules, by the rules of rustc.

use std::path::{Path, PathBuf};

use anyhow::bail;
use syn::ext::IdentExt as _;
use syn::{Attribute, Expr, ItemMod, Lit, Meta};

use super::model::ModuleId;

/// A module in its own file that was declared and not yet read.
#[derive(Debug)]
pub(super) struct Declared {
    pub(super) module: ModuleId,
    /// The paths that rustc tries.
    candidates: Vec<PathBuf>,
    /// The folder of its child modules is its own folder, as for mod.rs.
    pub(super) owns_folder: bool,
}

/// Where the child modules of a module are.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The folder that `#[path]` starts from.
    path_base: PathBuf,
    /// The folder of child modules.
    children: PathBuf,
}

impl Declared {
    /// The root module of a crate.
    pub(super) fn root(module: ModuleId, path: &Path) -> Self {
        Self {
            module,
            candidates: vec![path.to_owned()],
            owns_folder: true,
        }
    }

    pub(super) fn find(&self) -> anyhow::Result<&Path> {
        let mut candidates = self.candidates.iter();
        let Some(found) = candidates.find(|path| path.is_file()) else {
            let paths: Vec<_> = self
                .candidates
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            bail!("no file for a module: {}", paths.join(", "));
        };
        Ok(found)
    }
}

impl Place {
    /// The place of the children of a module whose file was found at `path`.
    pub(super) fn of_file(path: &Path, owns_folder: bool) -> Self {
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let children = if owns_folder || path.ends_with("mod.rs") {
            folder.clone()
        } else {
            path.with_extension("")
        };
        Self {
            path_base: folder,
            children,
        }
    }

    /// The place of the children of an inline module.
    pub(super) fn of_inline(&self, item: &ItemMod) -> Self {
        let folder = match path_attribute(&item.attrs) {
            Some(path) => self.path_base.join(path),
            None => self.children.join(item.ident.unraw().to_string()),
        };
        Self {
            path_base: folder.clone(),
            children: folder,
        }
    }

    /// A module whose code is in another file.
    pub(super) fn declare(&self, item: &ItemMod, module: ModuleId) -> Declared {
        if let Some(path) = path_attribute(&item.attrs) {
            return Declared {
                module,
                candidates: vec![self.path_base.join(path)],
                owns_folder: true,
            };
        }
        let name = item.ident.unraw().to_string();
        Declared {
            module,
            candidates: vec![
                self.children.join(format!("{name}.rs")),
                self.children.join(name).join("mod.rs"),
            ],
            owns_folder: false,
        }
    }
}

/// `#[path = ".."]`
fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    let mut values = attributes
        .iter()
        .filter_map(|attribute| match &attribute.meta {
            Meta::NameValue(pair) if pair.path.is_ident("path") => Some(&pair.value),
            _ => None,
        });
    match values.next()? {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}
