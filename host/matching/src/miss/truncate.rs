//! Values cut to what fits a line.

/// The longest value shown, in characters.
pub(super) const MAX_CHARS: usize = 80;

/// How many equal characters stay before the first that differs.
const BEFORE: usize = 16;

/// A text of at most [`MAX_CHARS`] characters: where it is cut an ellipsis stands.
pub(super) fn shorten(text: &str) -> String {
    window(text, 0)
}

/// Two texts cut in the same way, so that the first difference shows however late it comes.
pub(super) fn shorten_both(left: &str, right: &str) -> (String, String) {
    let mut equal = 0;
    for (ours, theirs) in left.chars().zip(right.chars()) {
        if ours != theirs {
            break;
        }
        equal += 1;
    }
    let fits = |text: &str| text.chars().nth(MAX_CHARS).is_none();
    let skipped = if (fits(left) && fits(right)) || equal < MAX_CHARS - BEFORE {
        0
    } else {
        equal - BEFORE
    };
    (window(left, skipped), window(right, skipped))
}

fn window(text: &str, skipped: usize) -> String {
    let mut rest = text.char_indices().skip(skipped).map(|(at, _)| at);
    let start = rest.next().unwrap_or(text.len());
    let mut shown = String::new();
    let room = if start > 0 {
        shown.push('…');
        MAX_CHARS - 1
    } else {
        MAX_CHARS
    };
    // The last character gives its place to the ellipsis where more would follow.
    let last = rest.nth(room - 2);
    match last.filter(|_| rest.next().is_some()) {
        Some(last) => {
            shown.push_str(&text[start..last]);
            shown.push('…');
        }
        None => shown.push_str(&text[start..]),
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_between_characters() {
        let cases = [
            (String::new(), String::new()),
            ("é".repeat(80), "é".repeat(80)),
            ("é".repeat(81), format!("{}…", "é".repeat(79))),
            ("ab".repeat(500), format!("{}a…", "ab".repeat(39))),
        ];
        for (text, expected) in cases {
            assert_eq!(shorten(&text), expected);
        }
    }

    #[test]
    fn a_late_difference_shows() {
        let head = "日".repeat(200);
        let (left, right) = shorten_both(&format!("{head}x"), &format!("{head}y tail"));
        assert_eq!(left, format!("…{}x", "日".repeat(16)));
        assert_eq!(right, format!("…{}y tail", "日".repeat(16)));
        let long = format!("{head}{}", "z".repeat(200));
        let (left, right) = shorten_both(&head, &long);
        assert_eq!(left, format!("…{}", "日".repeat(16)));
        assert!(right.ends_with("z…") && right.chars().count() == MAX_CHARS);
        let (left, right) = shorten_both("ab", "ac");
        assert_eq!((left.as_str(), right.as_str()), ("ab", "ac"));
    }
}
