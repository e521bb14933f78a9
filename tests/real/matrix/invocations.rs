//! Reads `invocations.txt`: one invocation of curl per line.

use super::curl::Place;
use super::servers::Server;

const ALL: &str = include_str!("invocations.txt");

/// One invocation against one server.
#[derive(Clone, Debug)]
pub(super) struct Invocation {
    pub(super) server: Server,
    /// The line as it is written, for reports.
    pub(super) text: String,
    /// False if the server itself responds differently each time: then only the replay is compared
    /// with the recording.
    pub(super) is_deterministic: bool,
    /// The arguments, with the markers `URL`, `IN`, `OUT` and `SESSION`.
    pub(super) words: Vec<Vec<u8>>,
    /// The input file that curl reads as standard input.
    pub(super) stdin: Option<String>,
}

/// All invocations.
pub(super) fn all() -> Vec<Invocation> {
    let lines = ALL.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.flat_map(invocations).collect()
}

fn invocations(line: &str) -> Vec<Invocation> {
    let (is_deterministic, text) = match line.strip_prefix('~') {
        Some(rest) => (false, rest.trim_start()),
        None => (true, line),
    };
    let (servers, arguments) = text.split_once(' ').unwrap_or((text, ""));
    let mut words = words(arguments);
    let redirect = words.iter().position(|word| word == b"<");
    let stdin = redirect.and_then(|at| {
        let file = words.drain(at..).nth(1)?;
        String::from_utf8(file).ok()
    });
    let invocation = |name: &str| {
        let server = Server::ALL.into_iter().find(|one| one.name() == name);
        Invocation {
            server: server.unwrap_or_else(|| panic!("no server {name}: {line}")),
            text: format!("{name} {arguments}"),
            is_deterministic,
            words: words.clone(),
            stdin: stdin.clone(),
        }
    };
    servers.split(',').map(invocation).collect()
}

/// Splits at spaces. `'` quotes; `\n`, `\r`, `\t`, `\'`, `\\` and `\xNN` are escapes.
fn words(text: &str) -> Vec<Vec<u8>> {
    let (mut words, mut word, mut is_quoted) = (Vec::new(), None::<Vec<u8>>, false);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\'' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            b' ' if !is_quoted => words.extend(word.take()),
            b'\\' => word.get_or_insert_default().push(escaped(&mut bytes)),
            byte => word.get_or_insert_default().push(byte),
        }
    }
    words.extend(word);
    words
}

fn escaped(bytes: &mut std::str::Bytes<'_>) -> u8 {
    match bytes.next() {
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(b'x') => {
            let digits: String = bytes.take(2).map(char::from).collect();
            u8::from_str_radix(&digits, 16).expect("two hexadecimal digits follow \\x")
        }
        Some(byte) => byte,
        None => b'\\',
    }
}

impl Invocation {
    /// The arguments of curl at this place.
    pub(super) fn words_in(&self, place: &Place<'_>) -> Vec<Vec<u8>> {
        let session = place
            .session
            .map(|session| format!("ouli-session: {session}"));
        let mut arguments = Vec::new();
        for word in &self.words {
            if word == b"SESSION" {
                let header = session.iter().flat_map(|field| ["--header", field]);
                arguments.extend(header.map(|argument| argument.as_bytes().to_vec()));
                continue;
            }
            let input = place.input.to_string_lossy();
            let output = place.output.to_string_lossy();
            let word = replaced(word, b"IN/", format!("{input}/").as_bytes());
            let word = replaced(&word, b"OUT/", format!("{output}/").as_bytes());
            arguments.push(replaced(&word, b"URL", place.url.as_bytes()));
        }
        arguments
    }
}

fn replaced(word: &[u8], marker: &[u8], value: &[u8]) -> Vec<u8> {
    match memchr::memmem::find(word, marker) {
        Some(at) => [&word[..at], value, &word[at + marker.len()..]].concat(),
        None => word.to_vec(),
    }
}

#[test]
fn words_are_split_as_the_file_says() {
    let parsed = words("-H 'a: b c' \\xff\\n '' x");
    let expected: [&[u8]; 5] = [b"-H", b"a: b c", b"\xff\n", b"", b"x"];
    assert_eq!(parsed, expected);
}

#[test]
fn there_are_at_least_110_invocations() {
    let all = all();
    assert!(all.len() >= 110, "{}", all.len());
    for server in Server::ALL {
        assert!(all.iter().any(|one| one.server == server), "{server:?}");
    }
}
