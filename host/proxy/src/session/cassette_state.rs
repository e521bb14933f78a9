//! The state of a session's cassette in this process.

/// What was done with the cassette so far.
#[derive(Debug, Default)]
pub(super) struct CassetteState {
    pub(super) load: LoadState,
    /// A new cassette was started for recording.
    pub(super) rotated: bool,
}

/// Whether the cassette was read.
#[derive(Debug, Default)]
pub(super) enum LoadState {
    #[default]
    NotLoaded,
    /// It was read, or it does not exist.
    Loaded(LoadReport),
    /// It cannot be used; why.
    Failed(String),
}

/// What was found in a cassette besides its exchanges.
#[derive(Clone, Debug, Default)]
pub(super) struct LoadReport {
    /// Parts that cannot be read, a line each.
    pub(super) damage: Vec<String>,
    /// Ordinals of the exchanges that were edited.
    pub(super) edited: Vec<u64>,
}

impl CassetteState {
    /// What was found; empty unless the cassette was read.
    pub(super) fn report(&self) -> LoadReport {
        match &self.load {
            LoadState::Loaded(report) => report.clone(),
            LoadState::NotLoaded | LoadState::Failed(_) => LoadReport::default(),
        }
    }
}
