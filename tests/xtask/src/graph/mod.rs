//! `cargo xtask graph`: dependencies between crates, imports between the files of a crate.

mod cfg;
mod circles;
mod collect;
mod crates;
mod edges;
mod imports;
mod lines;
mod load;
mod metadata;
mod model;
mod names;
mod options;
mod places;
mod report;
mod resolve;
mod restricted;
mod scopes;
#[cfg(test)]
mod tests;
mod tokens;

use std::path::Path;

use anyhow::ensure;

use crates::CrateGraph;
use metadata::{Package, Workspace};
use report::Report;

pub(crate) use options::{Options, USAGE};

/// Reads the workspace that `folder` belongs to, and checks its crates below `host/`.
pub(crate) fn check(folder: &Path, options: &Options) -> anyhow::Result<Report> {
    let workspace = Workspace::read(folder)?;
    ensure!(
        !workspace.packages.is_empty(),
        "{} has no crate below host/",
        workspace.root.display()
    );
    let mut crates = Vec::new();
    for package in &workspace.packages {
        if options
            .crate_name
            .as_deref()
            .is_none_or(|name| package.is_called(name))
        {
            crates.push(read_crate(&workspace, package, options)?);
        }
    }
    ensure!(
        !crates.is_empty(),
        "no such crate; the workspace has: {}",
        workspace.names().join(", ")
    );
    Ok(Report::new(crates))
}

fn read_crate(
    workspace: &Workspace,
    package: &Package,
    options: &Options,
) -> anyhow::Result<CrateGraph> {
    let mut graph = CrateGraph {
        name: package.short_name.clone(),
        layer: workspace.layer(package),
        uses: workspace.uses(package),
        restricted: restricted::check(package),
        ..CrateGraph::default()
    };
    for root in &package.roots {
        let tree = load::load(root, options.tests)?;
        let found = edges::find(&tree);
        graph.add(&workspace.root, &tree, &found);
    }
    Ok(graph)
}
