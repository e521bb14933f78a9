//! Truncates values to fit on a line.

/// Maximum length of a displayed value in characters.
pub(super) const MAX_CHARS: usize = 80;

/// Number of equal characters shown before the first difference.
const CONTEXT_CHARS: usize = 16;

/// Truncates a text to [`MAX_CHARS`] characters, with an ellipsis.
pub(super) fn shorten(text: &str) -> String {
    window(text, 0)
}

/// Truncates two texts at the same positions, so that the first difference is always shown.
pub(super) fn shorten_both(left: &str, right: &str) -> (String, String) {
    let mut equal = 0;
    for (left_char, right_char) in left.chars().zip(right.chars()) {
        if left_char != right_char {
            break;
        }
        equal += 1;
    }
    let fits = |text: &str| text.chars().nth(MAX_CHARS).is_none();
    let skipped = if (fits(left) && fits(right)) || equal < MAX_CHARS - CONTEXT_CHARS {
        0
    } else {
        equal - CONTEXT_CHARS
    };
    (window(left, skipped), window(right, skipped))
}

fn window(text: &str, skipped: usize) -> String {
    let mut rest = text.char_indices().skip(skipped).map(|(at, _)| at);
    let start = rest.next().unwrap_or(text.len());
    let mut shown = String::new();
    let max_chars = if start > 0 {
        shown.push('…');
        MAX_CHARS - 1
    } else {
        MAX_CHARS
    };
    // If more characters follow, the ellipsis replaces the last one.
    let last = rest.nth(max_chars - 2);
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
    fn truncates_between_characters() {
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
    fn shows_a_late_difference() {
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
