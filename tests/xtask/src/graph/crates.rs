//! The result for one crate, by paths relative to the workspace.

use std::path::Path;

use super::circles;
use super::edges::Imports;
use super::model::{FileId, Tree};
use super::restricted::RestrictedDependency;

/// A crate, its dependencies and its import circles.
#[derive(Debug, Default)]
pub(super) struct CrateGraph {
    pub(super) name: String,
    pub(super) layer: usize,
    /// The workspace crates that it uses directly.
    pub(super) uses: Vec<String>,
    pub(super) restricted: Vec<RestrictedDependency>,
    pub(super) files: usize,
    /// Lines of code.
    pub(super) lines: usize,
    pub(super) circles: Vec<Circle>,
    /// Places with a path that leads to no known item.
    pub(super) unresolved: Vec<(Place, String)>,
}

/// Files that import each other, directly or through others of the circle.
#[derive(Debug)]
pub(super) struct Circle {
    pub(super) files: Vec<String>,
    pub(super) imports: Vec<Import>,
}

#[derive(Debug)]
pub(super) struct Import {
    pub(super) place: Place,
    /// The path in the code.
    pub(super) path: String,
    /// The file that defines the item.
    pub(super) target: String,
}

/// A line of a file.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) file: String,
    pub(super) line: usize,
}

impl CrateGraph {
    /// Adds the library or the program of the crate.
    pub(super) fn add(&mut self, workspace: &Path, tree: &Tree, imports: &Imports) {
        let name = |file: FileId| {
            let path = &tree.files[file.0].path;
            path.strip_prefix(workspace)
                .unwrap_or(path)
                .display()
                .to_string()
        };
        self.files += tree.files.len();
        self.lines += tree.files.iter().map(|file| file.lines).sum::<usize>();
        for files in circles::find(tree.files.len(), &imports.edges) {
            let inside = imports
                .edges
                .iter()
                .filter(|edge| files.contains(&edge.from) && files.contains(&edge.to));
            let mut imports: Vec<Import> = inside
                .map(|edge| Import {
                    place: Place {
                        file: name(edge.from),
                        line: edge.line,
                    },
                    path: edge.path.clone(),
                    target: name(edge.to),
                })
                .collect();
            imports.sort_by(|one, other| {
                (&one.place.file, one.place.line).cmp(&(&other.place.file, other.place.line))
            });
            let mut files: Vec<String> = files.into_iter().map(name).collect();
            files.sort();
            self.circles.push(Circle { files, imports });
        }
        let unresolved = imports.unresolved.iter();
        self.unresolved.extend(unresolved.map(|found| {
            let place = Place {
                file: name(found.file),
                line: found.line,
            };
            (place, found.path.clone())
        }));
    }
}
