//! JSON numbers compared by value: `1`, `1.0` and `10e-1` are equal, at any length.

/// Writes the canonical form of a number: its significant digits, its sign and the power of ten of
/// the last digit. Equal numbers have equal forms. No floating point is used, so it is exact at any
/// length.
///
/// A text whose exponent exceeds 64 bits, or that is not a number (RFC 8259, section 6), equals
/// only itself.
pub(super) fn canonical(text: &str, out: &mut Vec<u8>) {
    out.clear();
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let unsigned = mantissa.strip_prefix('-').unwrap_or(mantissa);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    for digit in whole.bytes().chain(fraction.bytes()) {
        if digit != b'0' || !out.is_empty() {
            out.push(digit);
        }
    }
    if out.is_empty() {
        out.push(b'0');
        return;
    }
    let Ok(exponent) = exponent.parse::<i64>() else {
        out.clear();
        out.push(b'?');
        out.extend_from_slice(text.as_bytes());
        return;
    };
    let significant = out.iter().rposition(|digit| *digit != b'0').unwrap_or(0) + 1;
    let zeros = out.len() - significant;
    out.truncate(significant);
    out.push(if mantissa.starts_with('-') {
        b'-'
    } else {
        b'+'
    });
    let power = i128::from(exponent) - fraction.len() as i128 + zeros as i128;
    out.extend_from_slice(&power.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::canonical;

    fn form(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        canonical(text, &mut out);
        out
    }

    #[test]
    fn equal_numbers_share_a_form() {
        let groups: [&[&str]; 7] = [
            &["1", "1.0", "1e0", "1E+0", "10e-1", "0.1e1", "1.000"],
            &["0", "-0", "0.0", "-0.0e5", "0e99999999999999999999"],
            &["1500", "1.5e3", "15e2", "1500.00"],
            &["-2.5", "-25e-1"],
            &["100000000000000000000", "1e20"],
            &["0.1", "0.10", "1e-1"],
            &["1e400", "10e399"],
        ];
        for group in groups {
            for text in group {
                assert_eq!(form(text), form(group[0]), "{text} and {}", group[0]);
            }
        }
        let heads: Vec<_> = groups.iter().map(|group| form(group[0])).collect();
        for (index, head) in heads.iter().enumerate() {
            assert!(!heads[..index].contains(head), "{}", groups[index][0]);
        }
    }

    #[test]
    fn unequal_numbers_differ() {
        let pairs = [
            ("1", "-1"),
            ("1", "10"),
            ("0.1", "0.1000000000000000055"),
            ("9007199254740993", "9007199254740992"),
            ("18446744073709551617", "18446744073709551616"),
            ("1e99999999999999999999", "1e99999999999999999998"),
            ("1e99999999999999999999", "1"),
        ];
        for (left, right) in pairs {
            assert_ne!(form(left), form(right), "{left} and {right}");
        }
    }
}
