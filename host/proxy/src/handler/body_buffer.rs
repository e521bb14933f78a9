//! The growth of the buffer of one body.

/// Makes room for a body of this length so far, in large steps, because a step copies all bytes:
/// at best once, to the length that the head announces. What is not written yet takes addresses and
/// no memory. False if the system has none.
pub(crate) fn grow(buffer: &mut Vec<u8>, length: usize, announced: usize, max: usize) -> bool {
    let capacity = buffer.capacity();
    if length <= capacity {
        return true;
    }
    let wanted = announced.max(capacity.saturating_mul(2));
    let wanted = wanted.min(max).max(length);
    [wanted, length]
        .into_iter()
        .any(|size| buffer.try_reserve_exact(size - buffer.len()).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 1 << 20;

    /// Appends so many bytes in parts; returns how often the buffer grew.
    fn steps(length: usize, announced: usize) -> usize {
        let (mut buffer, mut steps) = (Vec::new(), 0);
        for part in vec![7; length].chunks(1000) {
            let before = buffer.capacity();
            let length = buffer.len() + part.len();
            assert!(grow(&mut buffer, length, announced, MAX));
            steps += usize::from(buffer.capacity() > before);
            buffer.extend_from_slice(part);
        }
        assert!(buffer.capacity() <= MAX.max(length));
        steps
    }

    #[test]
    fn a_body_of_announced_length_is_never_copied() {
        assert_eq!(steps(500_000, 500_000), 1);
    }

    #[test]
    fn a_body_of_unknown_length_is_copied_a_few_times() {
        assert!(steps(1_000_000, 0) <= 11);
    }

    #[test]
    fn a_length_beyond_the_limit_takes_the_limit() {
        assert_eq!(steps(5000, usize::MAX), 1);
    }

    #[test]
    fn memory_that_the_system_does_not_have_is_refused() {
        assert!(!grow(&mut Vec::new(), usize::MAX, 0, MAX));
    }
}
