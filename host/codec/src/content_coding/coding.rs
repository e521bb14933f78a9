//! The supported content codings.

/// A content coding that can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    /// `gzip`, also known as `x-gzip` (RFC 1952).
    Gzip,
    /// `deflate`: the zlib format (RFC 1950); plain deflate (RFC 1951) is read as well, since some
    /// servers send it.
    Deflate,
    /// `br` (RFC 7932).
    Brotli,
    /// `zstd` (RFC 8878).
    Zstd,
}

impl Coding {
    pub(super) const ALL: [Self; 4] = [Self::Gzip, Self::Deflate, Self::Brotli, Self::Zstd];

    /// The registered name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// The coding of a name, without regard to case.
    pub fn of(name: &str) -> Option<Self> {
        let alias = name.eq_ignore_ascii_case("x-gzip");
        let own = |coding: &Self| coding.name().eq_ignore_ascii_case(name);
        Self::ALL
            .into_iter()
            .find(own)
            .or(alias.then_some(Self::Gzip))
    }
}
