//! Measures how much a text differs from words, names and numbers that people write.
//!
//! The costs of a text are the bits that it takes to write it by a model of such text. Generated
//! values take more bits by it than by a model that draws all characters at random.

/// The costs in bits of a letter after another one: a row for each letter, a column for each that
/// follows. Counted over names of packages and prose in several languages.
const PAIRS: [&[u8; 26]; 26] = [
    b"75448658496343849343567768",
    b"36563677368367369446488858",
    b"38563783594467269454589969",
    b"35652567377566469556577869",
    b"46445668797453657234767578",
    b"47564478298467369455488859",
    b"47662755398565459346587878",
    b"27662788397667368563588959",
    b"55444559897442458543859696",
    b"36663677476667357636376778",
    b"36662656377566458545576868",
    b"37652779297467369745578959",
    b"25662778397557338746588869",
    b"47443538486675469743668869",
    b"65447658686443449344465689",
    b"38663775497478459354588939",
    b"56566677588366667555177888",
    b"37552668396656369544568959",
    b"57463754496566447742577959",
    b"37572674397667359344587859",
    b"54554669497443749333889788",
    b"27571778398667469666788879",
    b"37663664387565368446785778",
    b"46453567487556538652677658",
    b"45454556576444537533666776",
    b"36662675376556457666577745",
];

/// Costs are in tenths of bits.
const BIT: i32 = 10;
/// A digit, and the first letter of a word.
const DIGIT: i32 = 33;
const FIRST_LETTER: i32 = 45;
/// Characters of the same kind follow each other, and other kinds seldom do.
const SAME_KIND: i32 = 1;
const AFTER_SEPARATOR: i32 = 15;
const OTHER_KIND: i32 = 60;
const OTHER_CASE: i32 = 55;
/// The second letter of a word that begins with a capital.
const AFTER_CAPITAL: i32 = 5;
const SECOND_CAPITAL: i32 = 10;
const NEXT_CAPITAL: i32 = 3;
/// People separate words.
const SEPARATOR: i32 = 10;

/// The most bits by which a part of a value differs from a text that people write.
pub(super) fn surprise(value: &[u8]) -> u32 {
    let random = random_cost(value);
    let (mut most, mut sum, mut capitals, mut before) = (0, 0, 0, b' ');
    for byte in value.iter().copied() {
        sum += match byte {
            b'0'..=b'9' => digit_cost(before) - random,
            b'a'..=b'z' | b'A'..=b'Z' => letter_cost(before, byte, capitals) - random,
            b'-' | b'_' | b'+' | b'/' => -SEPARATOR,
            // What follows is another value.
            _ => -sum,
        };
        sum = sum.max(0);
        most = most.max(sum);
        capitals = match byte.is_ascii_uppercase() {
            true => capitals + 1,
            false => 0,
        };
        before = byte;
    }
    (most / BIT).unsigned_abs()
}

/// The costs of a character that is drawn at random from those of the same kinds.
fn random_cost(value: &[u8]) -> i32 {
    let has = |is_such: fn(&u8) -> bool| value.iter().any(is_such);
    let is_hex = |byte: &u8| !byte.is_ascii_alphanumeric() || byte.is_ascii_hexdigit();
    let cases = (
        has(u8::is_ascii_lowercase),
        has(u8::is_ascii_uppercase),
        has(u8::is_ascii_digit),
    );
    match cases {
        (false, false, _) => DIGIT,
        (true, true, true) => 60,
        (true, true, false) => 57,
        _ if value.iter().all(is_hex) => 40,
        (_, _, true) => 52,
        (_, _, false) => 47,
    }
}

fn digit_cost(before: u8) -> i32 {
    DIGIT
        + match before {
            b'0'..=b'9' => SAME_KIND,
            _ if before.is_ascii_alphabetic() => OTHER_KIND,
            _ => AFTER_SEPARATOR,
        }
}

/// `capitals` is the number of capitals right before.
fn letter_cost(before: u8, letter: u8, capitals: u32) -> i32 {
    if before.is_ascii_digit() {
        return FIRST_LETTER + OTHER_KIND;
    }
    if !before.is_ascii_alphabetic() {
        return FIRST_LETTER + AFTER_SEPARATOR;
    }
    match (capitals, letter.is_ascii_uppercase()) {
        (0, false) => pair_cost(before, letter) + SAME_KIND,
        (0, true) => FIRST_LETTER + OTHER_CASE,
        (1, false) => pair_cost(before, letter) + AFTER_CAPITAL,
        (_, false) => pair_cost(before, letter) + OTHER_CASE,
        (1, true) => pair_cost(before, letter) + SECOND_CAPITAL,
        (_, true) => pair_cost(before, letter) + NEXT_CAPITAL,
    }
}

fn pair_cost(first: u8, second: u8) -> i32 {
    let place = |letter: u8| usize::from(letter.to_ascii_lowercase() - b'a');
    i32::from(PAIRS[place(first)][place(second)] - b'0') * BIT
}
