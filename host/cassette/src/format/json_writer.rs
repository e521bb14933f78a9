//! Writes pretty-printed JSON: one member or item per line, indented by two spaces per level.

/// Writes one JSON value; it adds commas and indentation.
pub(super) struct JsonWriter<'a> {
    out: &'a mut Vec<u8>,
    depth: usize,
    first: bool,
}

impl<'a> JsonWriter<'a> {
    /// Opens an object at the start of a line of `out`.
    pub(super) fn start(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self {
            out,
            depth: 1,
            first: true,
        }
    }

    /// Closes the object that `start` opened, and ends the line.
    pub(super) fn end(mut self) {
        self.close(b'}');
        self.out.push(b'\n');
    }

    /// Opens a member that is an object or an array.
    pub(super) fn open(&mut self, name: &str, bracket: u8) {
        self.name(name);
        self.out.push(bracket);
        self.depth += 1;
        self.first = true;
    }

    /// Opens an item that is an object or an array.
    pub(super) fn open_item(&mut self, bracket: u8) {
        self.begin_entry();
        self.out.push(bracket);
        self.depth += 1;
        self.first = true;
    }

    /// Closes the object or array that was opened last.
    pub(super) fn close(&mut self, bracket: u8) {
        self.depth -= 1;
        if !self.first {
            self.new_line();
        }
        self.out.push(bracket);
        self.first = false;
    }

    /// Writes a member that is a string.
    pub(super) fn string(&mut self, name: &str, value: &str) {
        self.name(name);
        quote(self.out, value);
    }

    /// Writes a member that is an integer.
    pub(super) fn number(&mut self, name: &str, value: u64) {
        self.raw(name, &value.to_string());
    }

    /// Writes a member that is an array of integers, on one line.
    pub(super) fn numbers(&mut self, name: &str, values: impl IntoIterator<Item = u64>) {
        self.name(name);
        self.out.push(b'[');
        for (index, value) in values.into_iter().enumerate() {
            if index > 0 {
                self.out.extend_from_slice(b", ");
            }
            self.out.extend_from_slice(value.to_string().as_bytes());
        }
        self.out.push(b']');
    }

    /// Writes a member from JSON text, verbatim.
    pub(super) fn raw(&mut self, name: &str, json: &str) {
        self.name(name);
        self.out.extend_from_slice(json.as_bytes());
    }

    /// Writes an item that is a string.
    pub(super) fn item(&mut self, value: &str) {
        self.begin_entry();
        quote(self.out, value);
    }

    /// Writes an item that is a pair: two strings, or a string and an object with one string
    /// member.
    pub(super) fn pair(&mut self, left: &str, member: Option<&str>, right: &str) {
        self.begin_entry();
        self.out.push(b'[');
        quote(self.out, left);
        self.out.extend_from_slice(b", ");
        match member {
            None => quote(self.out, right),
            Some(name) => {
                self.out.push(b'{');
                quote(self.out, name);
                self.out.extend_from_slice(b": ");
                quote(self.out, right);
                self.out.push(b'}');
            }
        }
        self.out.push(b']');
    }

    fn name(&mut self, name: &str) {
        self.begin_entry();
        quote(self.out, name);
        self.out.extend_from_slice(b": ");
    }

    fn begin_entry(&mut self) {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        self.new_line();
    }

    fn new_line(&mut self) {
        self.out.push(b'\n');
        self.out.resize(self.out.len() + 2 * self.depth, b' ');
    }
}

fn quote(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("writing a string to memory never fails");
}
