//! Inputs of about `n` bytes.

/// A text that is repeated.
pub(super) fn repeat(text: &'static str) -> impl Fn(usize) -> Vec<u8> + Clone {
    move |n| text.repeat(n / text.len()).into_bytes()
}

/// A text that is repeated between a beginning and an end.
pub(super) fn within(
    begin: &'static str,
    text: &'static str,
    end: &'static str,
) -> impl Fn(usize) -> Vec<u8> + Clone {
    move |n| {
        [begin, &text.repeat(n / text.len()), end]
            .concat()
            .into_bytes()
    }
}

/// As many beginnings as ends.
pub(super) fn nested(
    begin: &'static str,
    end: &'static str,
    most: usize,
) -> impl Fn(usize) -> Vec<u8> + Clone {
    move |n| {
        let depth = (n / (begin.len() + end.len())).min(most);
        let one = [begin.repeat(depth), "1".to_owned(), end.repeat(depth)].concat();
        let count = (n / one.len()).max(1);
        format!("[{}]", vec![one; count].join(",")).into_bytes()
    }
}

/// Texts with their numbers.
pub(super) fn numbered(
    begin: &'static str,
    text: fn(usize) -> String,
    end: &'static str,
) -> impl Fn(usize) -> Vec<u8> + Clone {
    move |n| {
        let mut all = begin.to_owned();
        let mut number = 0;
        while all.len() < n {
            all.push_str(&text(number));
            number += 1;
        }
        all.push_str(end);
        all.into_bytes()
    }
}
