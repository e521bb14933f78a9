//! A list of exchanges, as positions in the index.

/// Positions in recorded order.
#[derive(Clone, Debug, Default)]
pub(super) struct PositionList {
    id: ListId,
    positions: Vec<usize>,
}

/// Names a list among those of an index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct ListId(u64);

/// The names of the lists of an index.
#[derive(Clone, Debug, Default)]
pub(super) struct ListIds(u64);

impl ListIds {
    pub(super) fn next(&mut self) -> ListId {
        self.0 += 1;
        ListId(self.0)
    }
}

impl PositionList {
    pub(super) fn new(id: ListId) -> Self {
        Self::with(id, Vec::new())
    }

    /// A list of these positions.
    pub(super) fn with(id: ListId, positions: Vec<usize>) -> Self {
        Self { id, positions }
    }

    /// A list that belongs to no index.
    pub(super) fn of(positions: Vec<usize>) -> Self {
        Self::with(ListId::default(), positions)
    }

    pub(super) fn id(&self) -> ListId {
        self.id
    }

    /// True if it belongs to an index, so that it is used again.
    pub(super) fn is_indexed(&self) -> bool {
        self.id != ListId::default()
    }

    /// Adds the last position.
    pub(super) fn push(&mut self, position: usize) {
        self.positions.push(position);
    }

    pub(super) fn positions(&self) -> &[usize] {
        &self.positions
    }

    /// The place of a position in this list.
    pub(super) fn place_of(&self, position: usize) -> Option<usize> {
        self.positions.binary_search(&position).ok()
    }
}
