//! Why a session cannot be used.

use std::fmt;

use ouli_config::ByteSize;

/// Why a session cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The name is not a valid file name.
    #[error("{0}")]
    InvalidName(String),
    /// The limit of sessions is reached.
    #[error("more than {0} sessions (limits.sessions)")]
    TooMany(usize),
    /// The exchanges of the cassette do not fit in the memory.
    #[error("{0}")]
    IndexMemory(MemoryShortage),
    /// The cassette cannot be used.
    #[error("{0}")]
    Cassette(String),
}

/// A cassette that does not fit in `limits.index_memory`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryShortage {
    /// Bytes that its exchanges take, as far as it was read.
    pub(super) needed: usize,
    /// The cassette was not read: it takes more than [`Self::needed`], which is its size.
    pub(super) is_unread: bool,
    /// Bytes that other sessions hold.
    pub(super) held: usize,
    /// Number of these sessions.
    pub(super) sessions: usize,
    /// The limit.
    pub(super) limit: usize,
}

impl fmt::Display for MemoryShortage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at_least = if self.is_unread { "at least " } else { "" };
        let free = self.limit.saturating_sub(self.held);
        let enough = rounded(self.needed.saturating_add(self.held));
        write!(
            out,
            "the cassette takes {at_least}{} of memory, and {} of limits.index_memory ({}) are \
             free",
            rounded(self.needed),
            rounded(free),
            rounded(self.limit)
        )?;
        if self.held > 0 {
            let (held, sessions) = (rounded(self.held), self.sessions);
            write!(
                out,
                "; {held} are held by other sessions in use ({sessions})"
            )?;
        }
        write!(
            out,
            "; set the limit to {at_least}{enough}, or record fewer exchanges in one session"
        )
    }
}

/// A size for a text, in whole KiB.
fn rounded(bytes: usize) -> ByteSize {
    ByteSize((bytes as u64).div_ceil(1024).saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_names_the_whole_need_and_who_has_the_memory() {
        let alone = MemoryShortage {
            needed: 300 << 10,
            is_unread: false,
            held: 0,
            sessions: 0,
            limit: 100 << 10,
        };
        assert_eq!(
            alone.to_string(),
            "the cassette takes 300KiB of memory, and 100KiB of limits.index_memory (100KiB) are \
             free; set the limit to 300KiB, or record fewer exchanges in one session"
        );
        let beside = MemoryShortage {
            is_unread: true,
            held: 80 << 10,
            sessions: 2,
            ..alone
        };
        assert_eq!(
            beside.to_string(),
            "the cassette takes at least 300KiB of memory, and 20KiB of limits.index_memory \
             (100KiB) are free; 80KiB are held by other sessions in use (2); set the limit to at \
             least 380KiB, or record fewer exchanges in one session"
        );
    }
}
