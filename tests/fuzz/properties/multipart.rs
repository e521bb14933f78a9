//! Multipart bodies: the parts lie in the body in order, and a body made of parts is parsed to the
//! same parts.

use ouli_codec::multipart::{boundary, parse};

use super::choices::Choices;

/// The input is a body; its first byte chooses the boundary.
pub(super) fn check(input: &[u8]) {
    let mut choices = Choices::new(input);
    let mark = choices.one_of(&["b", "--", "a b", "bb"]);
    let body = choices.rest();
    assert_eq!(
        boundary(&format!("multipart/form-data; boundary=\"{mark}\"")).as_deref(),
        Some(mark)
    );
    if let Some(parts) = parse(body, mark) {
        let mut end = 0;
        for part in &parts {
            assert!(end <= part.header.start && part.header.start <= part.header.end);
            assert!(part.header.end < part.body.start && part.body.start <= part.body.end);
            assert!(part.body.end <= body.len());
            end = part.body.end;
        }
    }
    built(input);
}

/// The input chooses the contents of the parts; no content contains a delimiter.
fn built(input: &[u8]) {
    let mut choices = Choices::new(input);
    let (mut body, mut contents) = (Vec::new(), Vec::new());
    while !choices.are_made() && contents.len() < 8 {
        let content = choices.bytes();
        if content.windows(2).any(|pair| pair == b"--") {
            continue;
        }
        let name = contents.len();
        let head = format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
        contents.push(content);
    }
    body.extend_from_slice(b"--b--\r\n");
    let parts = parse(&body, "b").expect("the body is valid");
    assert_eq!(parts.len(), contents.len());
    for (index, (part, content)) in parts.iter().zip(contents).enumerate() {
        assert_eq!(&body[part.body.clone()], content);
        assert_eq!(part.name, Some(index.to_string()));
    }
}
