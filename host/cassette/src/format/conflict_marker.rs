//! The lines that git writes into a file whose merge has a conflict.

/// What to do about them.
pub(super) const REASON: &str = "a conflict marker of git: resolve the merge, or take one side \
                                 with `git checkout --ours` or `--theirs`";

const MARKERS: [&[u8]; 4] = [b"<<<<<<<", b"|||||||", b"=======", b">>>>>>>"];

/// The offset of the first conflict marker in `text`, which starts a line.
pub(super) fn find(text: &[u8]) -> Option<usize> {
    let mut offset = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if is_marker(line) {
            return Some(offset);
        }
        offset += line.len();
    }
    None
}

fn is_marker(line: &[u8]) -> bool {
    MARKERS.iter().any(|marker| {
        let rest = line.strip_prefix(*marker);
        rest.is_some_and(|rest| matches!(rest.first(), None | Some(b' ' | b'\r' | b'\n')))
    })
}
