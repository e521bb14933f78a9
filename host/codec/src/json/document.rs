//! A parsed JSON text: a table of the positions of its values.
//!
//! A value takes 4 bytes of the table, its name 4 more, an object or array 12. That is at most six
//! times the text, for `[[[]]]`, and twice the text for an array of digits. Strings are decoded
//! when they are read.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use jiter::{Jiter, Peek};

use super::pointer::{Pointer, Step, index};
use super::word_table::WordTable;

/// Maximum nesting of values.
pub const MAX_DEPTH: usize = 128;

/// A parsed JSON text with its original text.
#[derive(Clone, Debug)]
pub struct Document {
    text: Bytes,
    /// The start of each value in the order of the text, and before a member that of its name. The
    /// start of an object or array is followed by its end in the text and by the index in this
    /// table of what follows its last descendant.
    table: WordTable,
}

/// A value of a document.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    document: &'a Document,
    /// Index of the start in the table.
    at: usize,
}

/// The kind of a value, with its content.
#[derive(Clone, Debug)]
pub enum Kind<'a> {
    /// An object. Members keep their order, repeated names included.
    Object(Members<'a>),
    /// An array.
    Array(Elements<'a>),
    /// A decoded string.
    String(Cow<'a, str>),
    /// A number. Its text is [`Node::text`]: no machine type holds all JSON numbers.
    Number,
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
}

/// One member of an object.
#[derive(Clone, Debug)]
pub struct Member<'a> {
    /// The decoded name.
    pub name: Cow<'a, str>,
    /// The value.
    pub value: Node<'a>,
}

impl Document {
    /// Parses one JSON text. None if it violates RFC 8259, has trailing bytes or a lone surrogate,
    /// is nested deeper than [`MAX_DEPTH`], or is 4 GiB long or longer.
    pub fn parse(text: Bytes) -> Option<Self> {
        let _: u32 = text.len().try_into().ok()?;
        let mut parser = Parser {
            text: &text,
            jiter: Jiter::new(&text),
            table: WordTable::default(),
        };
        let peek = parser.jiter.peek().ok()?;
        parser.value(peek, MAX_DEPTH)?;
        parser.jiter.finish().ok()?;
        let table = parser.table;
        Some(Self { text, table })
    }

    /// The outermost value.
    pub fn root(&self) -> Node<'_> {
        let document = self;
        Node { document, at: 0 }
    }

    /// The whole text.
    pub fn text(&self) -> &Bytes {
        &self.text
    }

    /// The size of the table in bytes.
    pub fn table_size(&self) -> usize {
        self.table.size()
    }

    /// Every value at a pointer, in the order of the text. A `*` or a repeated name may match
    /// several values.
    pub fn find<'a>(&'a self, pointer: &'a Pointer) -> Found<'a> {
        Found {
            steps: pointer.steps(),
            root: Some(self.root()),
            levels: Vec::new(),
        }
    }

    fn word(&self, at: usize) -> usize {
        self.table.get(at).map_or(self.text.len(), |it| it as usize)
    }

    fn byte(&self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or_default()
    }

    /// The decoded string that starts at a quote.
    fn string(&self, start: usize) -> Cow<'_, str> {
        let end = string_end(&self.text, start);
        let raw = self.slice(start + 1..end - 1);
        if !raw.contains('\\') {
            return Cow::Borrowed(raw);
        }
        let quoted = self.slice(start..end);
        let mut parser = Jiter::new(quoted.as_bytes());
        let decoded = parser.next_str().map(str::to_owned);
        Cow::Owned(decoded.unwrap_or_default())
    }

    fn slice(&self, span: Range<usize>) -> &str {
        let bytes = self.text.get(span).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl<'a> Node<'a> {
    /// The kind of value.
    pub fn kind(self) -> Kind<'a> {
        match self.document.byte(self.start()) {
            b'{' => Kind::Object(Members {
                document: self.document,
                range: self.descendants(),
            }),
            b'[' => Kind::Array(Elements {
                document: self.document,
                range: self.descendants(),
            }),
            b'"' => Kind::String(self.document.string(self.start())),
            b't' => Kind::Bool(true),
            b'f' => Kind::Bool(false),
            b'n' => Kind::Null,
            _ => Kind::Number,
        }
    }

    /// True for an object or array.
    pub fn is_container(self) -> bool {
        matches!(self.document.byte(self.start()), b'{' | b'[')
    }

    /// The byte range of the value in the text, including the quotes of a string.
    pub fn span(self) -> Range<usize> {
        let start = self.start();
        let text = &self.document.text;
        let end = match self.document.byte(start) {
            b'{' | b'[' => self.document.word(self.at + 1),
            b'"' => string_end(text, start),
            _ => {
                let rest = text.get(start..).unwrap_or_default();
                let is_end = |byte: &u8| b",]} \t\r\n".contains(byte);
                let size = rest.iter().position(is_end).unwrap_or(rest.len());
                start + size
            }
        };
        start..end
    }

    /// The text of the value.
    pub fn text(self) -> &'a str {
        self.document.slice(self.span())
    }

    fn start(self) -> usize {
        self.document.word(self.at)
    }

    /// The range in the table of what is in an object or array.
    fn descendants(self) -> Range<usize> {
        self.at + CONTAINER_WORDS..self.next()
    }

    /// The index in the table of what follows the value.
    fn next(self) -> usize {
        if self.is_container() {
            self.document.word(self.at + 2)
        } else {
            self.at + 1
        }
    }

    fn children(self, step: &'a Step) -> Children<'a> {
        match (self.kind(), step) {
            (Kind::Object(members), step) => Children::Members(members, step),
            (Kind::Array(elements), Step::Wildcard) => Children::Elements(elements),
            (Kind::Array(mut elements), Step::Name(name)) => {
                Children::Element(index(name).and_then(|at| elements.nth(at)))
            }
            (Kind::String(_) | Kind::Number | Kind::Bool(_) | Kind::Null, _) => {
                Children::Element(None)
            }
        }
    }
}

/// The members of an object.
#[derive(Clone, Debug)]
pub struct Members<'a> {
    document: &'a Document,
    range: Range<usize>,
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        let document = self.document;
        let name = self.range.next()?;
        let at = self.range.start;
        let value = Node { document, at };
        self.range.start = value.next();
        let name = document.string(document.word(name));
        Some(Member { name, value })
    }
}

/// The elements of an array.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    document: &'a Document,
    range: Range<usize>,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        if self.range.is_empty() {
            return None;
        }
        let (document, at) = (self.document, self.range.start);
        let element = Node { document, at };
        self.range.start = element.next();
        Some(element)
    }
}

/// The values at a pointer.
#[derive(Debug)]
pub struct Found<'a> {
    steps: &'a [Step],
    /// Set until the first value is read.
    root: Option<Node<'a>>,
    /// The values that are left at each step.
    levels: Vec<Children<'a>>,
}

/// The values at one step below one value.
#[derive(Debug)]
enum Children<'a> {
    Members(Members<'a>, &'a Step),
    Elements(Elements<'a>),
    Element(Option<Node<'a>>),
}

impl<'a> Iterator for Children<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        match self {
            Self::Members(members, step) => members
                .find(|member| step.is_member(&member.name))
                .map(|member| member.value),
            Self::Elements(elements) => elements.next(),
            Self::Element(element) => element.take(),
        }
    }
}

impl<'a> Iterator for Found<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        let mut found = self.root.take();
        loop {
            if let Some(node) = found {
                match self.steps.get(self.levels.len()) {
                    None => return Some(node),
                    Some(step) => self.levels.push(node.children(step)),
                }
            }
            found = self.levels.last_mut()?.next();
            if found.is_none() {
                self.levels.pop();
            }
        }
    }
}

/// The number of words in the table for an object or array itself.
const CONTAINER_WORDS: usize = 3;

struct Parser<'a> {
    text: &'a [u8],
    jiter: Jiter<'a>,
    table: WordTable,
}

impl Parser<'_> {
    /// Adds the value at the current position to the table.
    fn value(&mut self, peek: Peek, depth: usize) -> Option<()> {
        let start = self.jiter.current_index();
        let at = self.table.len();
        self.push(start)?;
        match peek {
            Peek::Object | Peek::Array => {
                (1..CONTAINER_WORDS).for_each(|_| self.table.push(0));
                let depth = depth.checked_sub(1)?;
                if peek == Peek::Object {
                    self.members(depth)?;
                } else {
                    self.elements(depth)?;
                }
                let end = self.jiter.current_index().try_into().ok()?;
                self.table.set(at + 1, end);
                self.table.set(at + 2, self.table.len().try_into().ok()?);
            }
            Peek::String => drop(self.jiter.known_str().ok()?),
            Peek::True | Peek::False => drop(self.jiter.known_bool(peek).ok()?),
            Peek::Null => self.jiter.known_null().ok()?,
            _ => drop(self.jiter.known_number_bytes(peek).ok()?),
        }
        Some(())
    }

    fn members(&mut self, depth: usize) -> Option<()> {
        // Before a name are only a brace or comma and white space.
        let mut before = self.jiter.current_index();
        let mut has_next = self.jiter.known_object().ok()?.is_some();
        while has_next {
            self.push(before + memchr::memchr(b'"', self.text.get(before..)?)?)?;
            let peek = self.jiter.peek().ok()?;
            self.value(peek, depth)?;
            before = self.jiter.current_index();
            has_next = self.jiter.next_key().ok()?.is_some();
        }
        Some(())
    }

    fn elements(&mut self, depth: usize) -> Option<()> {
        let mut next = self.jiter.known_array().ok()?;
        while let Some(peek) = next {
            self.value(peek, depth)?;
            next = self.jiter.array_step().ok()?;
        }
        Some(())
    }

    fn push(&mut self, word: usize) -> Option<()> {
        self.table.push(word.try_into().ok()?);
        Some(())
    }
}

/// The position after the string that starts at a quote, in valid JSON.
fn string_end(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        match memchr::memchr2(b'"', b'\\', rest) {
            Some(size) if rest[size] == b'"' => return at + size + 1,
            Some(size) => at += size + 2,
            None => return text.len(),
        }
    }
}
