//! The supported content codings.

/// A supported content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    /// `gzip`, also known as `x-gzip` (RFC 1952).
    Gzip,
    /// `deflate`: the zlib format (RFC 1950). Raw deflate (RFC 1951) is also decoded, since some
    /// servers send it.
    Deflate,
    /// `br` (RFC 7932).
    Brotli,
    /// `zstd` (RFC 8878).
    Zstd,
    /// `aws-chunked`: the chunks of a signed upload to Amazon S3. It does not compress, and no
    /// client accepts it by `accept-encoding`.
    AwsChunked,
}

impl Coding {
    /// The codings that are negotiated.
    pub(super) const ALL: [Self; 4] = [Self::Gzip, Self::Deflate, Self::Brotli, Self::Zstd];

    /// The registered name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::AwsChunked => "aws-chunked",
        }
    }

    /// The negotiated coding of a case-insensitive name.
    pub fn of(name: &str) -> Option<Self> {
        let alias = name.eq_ignore_ascii_case("x-gzip");
        let has_name = |coding: &Self| coding.name().eq_ignore_ascii_case(name);
        Self::ALL
            .into_iter()
            .find(has_name)
            .or(alias.then_some(Self::Gzip))
    }
}
