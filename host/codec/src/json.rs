//! JSON documents (RFC 8259) with the span of each value, and JSON pointers (RFC 6901).

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use bytes::Bytes;
use jiter::{Jiter, Peek};

/// A parsed JSON text with its original text.
#[derive(Clone, Debug)]
pub struct Document {
    text: Bytes,
    root: Node,
}

/// A value and its span.
#[derive(Clone, Debug)]
pub struct Node {
    /// The byte range of the value in the text, including the quotes of a string.
    pub span: Range<usize>,
    /// The kind of value.
    pub kind: Kind,
}

/// The kind of a value, with its content.
#[derive(Clone, Debug)]
pub enum Kind {
    /// An object. Members keep their order, repeated names included.
    Object(Vec<Member>),
    /// An array.
    Array(Vec<Node>),
    /// A decoded string.
    String(String),
    /// A number. Its text is at its span: no machine type holds all JSON numbers.
    Number,
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
}

/// One member of an object.
#[derive(Clone, Debug)]
pub struct Member {
    /// The decoded name.
    pub name: String,
    /// The value.
    pub value: Node,
}

impl Document {
    /// Parses one JSON text. None if it violates RFC 8259, has trailing bytes or a lone surrogate,
    /// or is nested deeper than [`MAX_DEPTH`].
    pub fn parse(text: Bytes) -> Option<Self> {
        let mut parser = Jiter::new(&text);
        let peek = parser.peek().ok()?;
        let root = node(&mut parser, peek, MAX_DEPTH)?;
        parser.finish().ok()?;
        Some(Self { text, root })
    }

    /// The outermost value.
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// Converts the document into its outermost value.
    pub fn into_kind(self) -> Kind {
        self.root.kind
    }

    /// The whole text.
    pub fn text(&self) -> &Bytes {
        &self.text
    }

    /// The text of a value of this document. Empty if the span is not in this document.
    pub fn slice(&self, node: &Node) -> &str {
        let bytes = self.text.get(node.span.clone()).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    /// Every value at a pointer, in the order of the text. A `*` or a repeated name may match
    /// several values.
    pub fn find(&self, pointer: &Pointer) -> Vec<&Node> {
        let mut found = vec![&self.root];
        for step in &pointer.0 {
            found = found
                .into_iter()
                .flat_map(|node| children(node, step))
                .collect();
        }
        found
    }
}

/// Maximum nesting of values.
pub const MAX_DEPTH: usize = 128;

fn node(parser: &mut Jiter<'_>, peek: Peek, depth: usize) -> Option<Node> {
    let start = parser.current_index();
    let kind = match peek {
        Peek::Object => object(parser, depth.checked_sub(1)?)?,
        Peek::Array => array(parser, depth.checked_sub(1)?)?,
        Peek::String => Kind::String(parser.known_str().ok()?.to_owned()),
        Peek::True | Peek::False => Kind::Bool(parser.known_bool(peek).ok()?),
        Peek::Null => {
            parser.known_null().ok()?;
            Kind::Null
        }
        _ => {
            parser.known_number_bytes(peek).ok()?;
            Kind::Number
        }
    };
    let span = start..parser.current_index();
    Some(Node { span, kind })
}

fn object(parser: &mut Jiter<'_>, depth: usize) -> Option<Kind> {
    let mut members = Vec::new();
    let mut next = parser.known_object().ok()?.map(str::to_owned);
    while let Some(name) = next {
        let peek = parser.peek().ok()?;
        let value = node(parser, peek, depth)?;
        members.push(Member { name, value });
        next = parser.next_key().ok()?.map(str::to_owned);
    }
    Some(Kind::Object(members))
}

fn array(parser: &mut Jiter<'_>, depth: usize) -> Option<Kind> {
    let mut elements = Vec::new();
    let mut next = parser.known_array().ok()?;
    while let Some(peek) = next {
        elements.push(node(parser, peek, depth)?);
        next = parser.array_step().ok()?;
    }
    Some(Kind::Array(elements))
}

fn children<'a>(node: &'a Node, step: &Step) -> Vec<&'a Node> {
    match &node.kind {
        Kind::Object(members) => members
            .iter()
            .filter(|member| step.is_member(&member.name))
            .map(|member| &member.value)
            .collect(),
        Kind::Array(elements) => match step {
            Step::Wildcard => elements.iter().collect(),
            Step::Name(name) => index(name)
                .and_then(|at| elements.get(at))
                .into_iter()
                .collect(),
        },
        Kind::String(_) | Kind::Number | Kind::Bool(_) | Kind::Null => Vec::new(),
    }
}

/// A JSON pointer (RFC 6901) in which the step `*` matches every index or member.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pointer(Vec<Step>);

/// One step of a pointer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Every member of an object and every element of an array.
    Wildcard,
    /// The member of this name, or the element of this index.
    Name(String),
}

impl Pointer {
    /// Parses a pointer: empty for the whole document, else steps that each begin with `/`.
    pub fn parse(text: &str) -> Result<Self, PointerError> {
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let steps = text.strip_prefix('/').ok_or(PointerError::NoSlash)?;
        let steps = steps.split('/').map(|step| match step {
            "*" => Ok(Step::Wildcard),
            name => unescape(name).map(Step::Name),
        });
        Ok(Self(steps.collect::<Result<_, _>>()?))
    }

    /// The steps from the root, for those who walk a document along several pointers at once.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }
}

impl FromStr for Pointer {
    type Err = PointerError;

    fn from_str(text: &str) -> Result<Self, PointerError> {
        Self::parse(text)
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.0 {
            match step {
                Step::Wildcard => out.write_str("/*")?,
                Step::Name(name) => write!(out, "/{}", escape(name))?,
            }
        }
        Ok(())
    }
}

impl Step {
    /// True if the step matches a member of this name.
    pub fn is_member(&self, member: &str) -> bool {
        match self {
            Self::Wildcard => true,
            Self::Name(name) => name == member,
        }
    }

    /// True if the step matches the element at this index.
    pub fn is_element(&self, element: usize) -> bool {
        match self {
            Self::Wildcard => true,
            Self::Name(name) => index(name) == Some(element),
        }
    }
}

/// Why a text is not a JSON pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointerError {
    /// It is neither empty nor starts with `/`.
    #[error("a JSON pointer is empty or begins with `/`")]
    NoSlash,
    /// A `~` is not followed by `0` or `1`.
    #[error("`~` is written `~0` in a JSON pointer, and `/` in a name `~1`")]
    Escape,
}

/// Escapes a member name for a pointer: `~` becomes `~0`, `/` becomes `~1`.
pub fn escape(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}

fn unescape(step: &str) -> Result<String, PointerError> {
    let mut parts = step.split('~');
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        if let Some(rest) = part.strip_prefix('0') {
            name.push('~');
            name.push_str(rest);
        } else if let Some(rest) = part.strip_prefix('1') {
            name.push('/');
            name.push_str(rest);
        } else {
            return Err(PointerError::Escape);
        }
    }
    Ok(name)
}

/// Parses an index. It has no leading zeros and no sign (RFC 6901, section 4).
fn index(name: &str) -> Option<usize> {
    let digits = name.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = digits && (name == "0" || !name.starts_with('0'));
    canonical.then(|| name.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<Document> {
        Document::parse(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn accepts_only_strict_json() {
        let good = [
            "null",
            " true ",
            "-0.5e+10",
            "\"\\u00e9\\ud83d\\ude00\"",
            "[]",
            "[1,[2]]",
            "{}",
            "{\"a\":{},\"a\":1}",
            "123456789012345678901234567890",
            "\"é\"",
            "\r\n\t {\"a\" : [ ] }\n",
        ];
        for text in good {
            assert!(parse(text).is_some(), "{text}");
        }
        let bad = [
            "",
            " ",
            "nul",
            "nulll",
            "NaN",
            "Infinity",
            "-Infinity",
            "-",
            "01",
            "1.",
            ".5",
            "+1",
            "1e",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{\"a\":1,}",
            "{a:1}",
            "{\"a\" 1}",
            "{\"a\":}",
            "\"",
            "\"\n\"",
            "\"\\x\"",
            "\"\\ud83d\"",
            "1 2",
            "{}x",
            "'a'",
            "[1]]",
            "\u{feff}{}",
            "\"\u{1}\"",
        ];
        for text in bad {
            assert!(parse(text).is_none(), "{text:?}");
        }
        assert!(Document::parse(Bytes::from_static(b"\"\xff\"")).is_none());
        assert!(Document::parse(Bytes::from_static(b"{} \xff")).is_none());
    }

    #[test]
    fn limits_the_nesting() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(&nested(MAX_DEPTH)).is_some());
        assert!(parse(&nested(MAX_DEPTH + 1)).is_none());
        assert!(parse(&"[".repeat(1 << 20)).is_none());
    }

    #[test]
    fn spans_are_exact() {
        let text = r#" { "a" : "x\n" , "b" :[ 1.50 , true,null ] , "a":{} } "#;
        let json = parse(text).unwrap();
        let slice = |pointer: &str| -> Vec<String> {
            let nodes = json.find(&Pointer::parse(pointer).unwrap());
            nodes
                .iter()
                .map(|node| json.slice(node).to_owned())
                .collect()
        };
        assert_eq!(slice(""), [text.trim()]);
        assert_eq!(slice("/a"), [r#""x\n""#, "{}"]);
        assert_eq!(slice("/b"), ["[ 1.50 , true,null ]"]);
        assert_eq!(slice("/b/*"), ["1.50", "true", "null"]);
        assert_eq!(slice("/b/0"), ["1.50"]);
        assert_eq!(slice("/*/1"), ["true"]);
        for missing in ["/b/00", "/b/3", "/b/-", "/b/+1", "/c", "/a/0", "/b/"] {
            assert!(slice(missing).is_empty(), "{missing}");
        }
        let first = json.find(&Pointer::parse("/a").unwrap())[0];
        assert!(matches!(&first.kind, Kind::String(decoded) if decoded == "x\n"));
    }

    #[test]
    fn parses_and_displays_pointers() {
        let json = parse(r#"{"":0,"a/b":1,"m~n":2,"*":3}"#).unwrap();
        for (pointer, expected) in [("/", "0"), ("/a~1b", "1"), ("/m~0n", "2")] {
            let parsed = Pointer::parse(pointer).unwrap();
            assert_eq!(json.slice(json.find(&parsed)[0]), expected);
            assert_eq!(parsed.to_string(), pointer);
        }
        assert_eq!(json.find(&Pointer::parse("/*").unwrap()).len(), 4);
        assert_eq!(Pointer::parse("a"), Err(PointerError::NoSlash));
        assert_eq!(Pointer::parse("/~2"), Err(PointerError::Escape));
        assert_eq!(Pointer::parse("/a~"), Err(PointerError::Escape));
        assert_eq!(
            Pointer::parse("/~01").unwrap(),
            Pointer(vec![Step::Name("~1".into())])
        );
        assert_eq!(escape("~/*"), "~0~1*");
    }
}
