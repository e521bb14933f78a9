//! The text of `cargo xtask graph`.

use std::fmt;

use super::crates::{Circle, CrateGraph};

/// The result for all crates.
#[derive(Debug)]
pub(crate) struct Report {
    pub(super) crates: Vec<CrateGraph>,
}

impl Report {
    /// Puts the crates into layers, from the bottom.
    pub(super) fn new(mut crates: Vec<CrateGraph>) -> Self {
        crates.sort_by(|one, other| (one.layer, &one.name).cmp(&(other.layer, &other.name)));
        Self { crates }
    }

    /// No circle, and no forbidden dependency.
    pub(crate) fn passed(&self) -> bool {
        self.circles() == 0 && self.forbidden() == 0
    }

    fn circles(&self) -> usize {
        self.crates.iter().map(|graph| graph.circles.len()).sum()
    }

    fn forbidden(&self) -> usize {
        let restricted = self.crates.iter().flat_map(|graph| &graph.restricted);
        restricted.filter(|used| used.forbidden.is_some()).count()
    }

    fn write_layers(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self
            .crates
            .iter()
            .map(|graph| graph.name.len())
            .max()
            .unwrap_or(0);
        let mut layer = None;
        for graph in &self.crates {
            if layer != Some(graph.layer) {
                writeln!(formatter, "layer {}", graph.layer)?;
                layer = Some(graph.layer);
            }
            write!(
                formatter,
                "  {:width$}  {:>6} lines",
                graph.name, graph.lines
            )?;
            if !graph.uses.is_empty() {
                write!(formatter, "  uses {}", graph.uses.join(", "))?;
            }
            writeln!(formatter)?;
        }
        Ok(())
    }

    fn write_restricted(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut found = self
            .crates
            .iter()
            .flat_map(|graph| graph.restricted.iter().map(move |used| (&graph.name, used)));
        let mut next = found.next();
        if next.is_some() {
            writeln!(formatter, "\nrestricted dependencies")?;
        }
        while let Some((name, used)) = next {
            write!(formatter, "  {name} -> {}", used.name)?;
            if let Some(allowed) = used.forbidden {
                write!(
                    formatter,
                    "  FORBIDDEN: only {} may use it",
                    allowed.join(", ")
                )?;
            }
            writeln!(formatter)?;
            next = found.next();
        }
        Ok(())
    }

    fn write_unresolved(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = || self.crates.iter().flat_map(|graph| &graph.unresolved);
        if found().next().is_some() {
            writeln!(formatter, "\nunresolved paths, not checked")?;
        }
        for (place, path) in found() {
            writeln!(formatter, "  {}:{}  {path}", place.file, place.line)?;
        }
        Ok(())
    }

    fn write_summary(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = self.crates.iter().map(|graph| graph.files).sum();
        writeln!(
            formatter,
            "\n{}, {}: {}, {}",
            counted(self.crates.len(), "crate", "crates"),
            counted(files, "file", "files"),
            counted(self.circles(), "import circle", "import circles"),
            counted(
                self.forbidden(),
                "forbidden dependency",
                "forbidden dependencies"
            ),
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_layers(formatter)?;
        self.write_restricted(formatter)?;
        for graph in &self.crates {
            for circle in &graph.circles {
                write_circle(formatter, graph, circle)?;
            }
        }
        self.write_unresolved(formatter)?;
        self.write_summary(formatter)
    }
}

fn write_circle(
    formatter: &mut fmt::Formatter<'_>,
    graph: &CrateGraph,
    circle: &Circle,
) -> fmt::Result {
    let folder = common_folder(&circle.files);
    let short = |file: &str| file.strip_prefix(folder).unwrap_or(file).to_owned();
    let files: Vec<String> = circle.files.iter().map(|file| short(file)).collect();
    writeln!(
        formatter,
        "\nimport circle of {} files in {}, {folder}: {}",
        files.len(),
        graph.name,
        files.join(", ")
    )?;
    let place =
        |import: &super::crates::Import| format!("{}:{}", import.place.file, import.place.line);
    let width = circle
        .imports
        .iter()
        .map(|import| place(import).len())
        .max();
    let width = width.unwrap_or(0);
    for import in &circle.imports {
        let target = short(&import.target);
        writeln!(
            formatter,
            "  {:width$}  {}  ({target})",
            place(import),
            import.path
        )?;
    }
    Ok(())
}

/// The folder of all files, with its final `/`.
fn common_folder(files: &[String]) -> &str {
    let mut folders = files
        .iter()
        .map(|file| &file[..file.rfind('/').map_or(0, |end| end + 1)]);
    let first = folders.next().unwrap_or("");
    folders.fold(first, |common, folder| {
        let matching = common
            .bytes()
            .zip(folder.bytes())
            .take_while(|(one, other)| one == other);
        let matching = matching.count();
        let end = folder.as_bytes()[..matching]
            .iter()
            .rposition(|byte| *byte == b'/');
        &folder[..end.map_or(0, |end| end + 1)]
    })
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
