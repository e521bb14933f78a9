//! Import circles: strongly connected components of more than one file (Tarjan's algorithm).

use super::edges::Edge;
use super::model::FileId;

/// The circles among `files` files, each sorted; the largest is first.
pub(super) fn find(files: usize, edges: &[Edge]) -> Vec<Vec<FileId>> {
    let mut uses = vec![Vec::new(); files];
    for edge in edges {
        uses[edge.from.0].push(edge.to.0);
    }
    let mut search = Search {
        uses,
        order: vec![None; files],
        lowest: vec![0; files],
        is_open: vec![false; files],
        open: Vec::new(),
        visited: 0,
        circles: Vec::new(),
    };
    for file in 0..files {
        if search.order[file].is_none() {
            search.visit(file);
        }
    }
    let mut circles = search.circles;
    circles.sort_by_key(|circle| (std::cmp::Reverse(circle.len()), circle.first().copied()));
    circles
}

struct Search {
    /// The files that a file uses.
    uses: Vec<Vec<usize>>,
    /// When a file was visited.
    order: Vec<Option<usize>>,
    /// The earliest visited file that is reachable and in the same component.
    lowest: Vec<usize>,
    /// Whether the component of a visited file is still unknown.
    is_open: Vec<bool>,
    open: Vec<usize>,
    visited: usize,
    circles: Vec<Vec<FileId>>,
}

impl Search {
    fn visit(&mut self, file: usize) {
        let order = self.visited;
        self.visited += 1;
        self.order[file] = Some(order);
        self.lowest[file] = order;
        self.open.push(file);
        self.is_open[file] = true;
        for used in self.uses[file].clone() {
            match self.order[used] {
                None => {
                    self.visit(used);
                    self.lowest[file] = self.lowest[file].min(self.lowest[used]);
                }
                Some(order) if self.is_open[used] => {
                    self.lowest[file] = self.lowest[file].min(order);
                }
                Some(_) => {}
            }
        }
        if self.lowest[file] == order {
            self.close(file);
        }
    }

    /// Takes the component whose first visited file is `file`.
    fn close(&mut self, file: usize) {
        let start = self
            .open
            .iter()
            .rposition(|open| *open == file)
            .unwrap_or(0);
        let mut component: Vec<FileId> = self.open.drain(start..).map(FileId).collect();
        for member in &component {
            self.is_open[member.0] = false;
        }
        if component.len() > 1 {
            component.sort();
            self.circles.push(component);
        }
    }
}
