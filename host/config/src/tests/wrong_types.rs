//! Every setting with values of other types and forms: the error names the key, the line and what
//! to write.

use super::read;
use crate::file::known_keys;

/// A configuration with every section.
const SECTIONS: &str = "[limits]\n[matcher]\n[redactor]\n[policy]\n[redaction]\n[verdict]\n\
                        [[endpoint]]\nname = 'api'\nlisten = '127.0.0.1:0'\n\
                        [[plugin]]\nfile = 'ids.wasm'\n[plugin.limits]\n";

/// One value of each type of TOML.
const VALUES: [&str; 7] = [
    "1",
    "1.5",
    "true",
    "'a b'",
    "[1.5]",
    "{ a = 1 }",
    "1979-05-27",
];

/// The configuration with this value of a key, in the section that has it.
fn with(path: &str, value: &str) -> String {
    let (section, key) = match path.rsplit_once('.') {
        None => return format!("{path} = {value}\n{}", without(path)),
        Some(("endpoint.api", key)) => ("[[endpoint]]", key),
        Some(("plugin.\"ids.wasm\"", key)) => ("[[plugin]]", key),
        Some(("plugin.\"ids.wasm\".limits", key)) => ("[plugin.limits]", key),
        Some((section, key)) => {
            let header = format!("[{section}]");
            let line = format!("{header}\n{key} = {value}");
            return SECTIONS.replacen(&header, &line, 1);
        }
    };
    let others = match (section, key) {
        ("[[endpoint]]", _) => SECTIONS.replacen(&format!("{key} = "), "# ", 1),
        ("[[plugin]]", "file") => SECTIONS.replacen("file = ", "# ", 1),
        ("[[plugin]]", "limits") => SECTIONS.replacen("[plugin.limits]", "", 1),
        _ => SECTIONS.to_owned(),
    };
    others.replacen(section, &format!("{section}\n{key} = {value}"), 1)
}

/// The sections without the one of this name, whose place the key takes.
fn without(key: &str) -> String {
    let name = |line: &str| line.trim_matches(['[', ']']).split('.').next() == Some(key);
    let mut is_removed = false;
    let kept = SECTIONS.lines().filter(|line| {
        if line.starts_with('[') {
            is_removed = name(line);
        }
        !is_removed
    });
    kept.map(|line| format!("{line}\n")).collect()
}

#[test]
fn every_setting_rejects_values_of_other_types_with_what_to_write() {
    let keys = known_keys(SECTIONS);
    assert!(keys.len() > 150, "{keys:?}");
    for path in keys {
        let mut rejected = 0;
        for value in VALUES {
            let text = with(&path, value);
            let Err(errors) = read(&text, &[]) else {
                continue;
            };
            let last = path.rsplit('.').next().unwrap();
            let own = errors.errors.iter().filter(|error| {
                // An item has a number, and a table has keys.
                error.key.split(['.', '[']).any(|part| part == last)
            });
            let own: Vec<_> = own.collect();
            rejected += usize::from(!own.is_empty());
            for error in own {
                assert!(
                    error.hint.is_some() && error.line.is_some(),
                    "{path} = {value}: {error}"
                );
                assert!(
                    !error.message.contains("invalid type"),
                    "{path} = {value}: {error}"
                );
            }
        }
        assert!(
            rejected >= 3,
            "{path}: {rejected} of the values are rejected"
        );
    }
}

/// Settings of built-in plugins, and a part of the error.
const FORMS: &[(&str, &str)] = &[
    (
        "matcher.authority = 'x'",
        "expected true or false, found the string \"x\"",
    ),
    (
        "matcher.defaults = 1",
        "expected true or false, found the integer 1",
    ),
    (
        "policy.skip_health_checks = 1",
        "expected true or false, found the integer 1",
    ),
    (
        "matcher.ignore_query = ['a*b']",
        "`*` does not stand at the end; write \"a*\"",
    ),
    (
        "matcher.ignore_query = ['']",
        "matcher.ignore_query[0]: the name is empty",
    ),
    (
        "matcher.ignore_headers = 'x y'",
        "\"x y\" is not a header name",
    ),
    (
        "matcher.ignore_headers = 'x-*-y'",
        "`*` does not stand at the end",
    ),
    ("matcher.headers = ['x-*']", "\"x-*\" is not a header name"),
    ("matcher.headers = ['']", "\"\" is not a header name"),
    (
        "matcher.headers = ['accept: text']",
        "without spaces, colon and value",
    ),
    (
        "matcher.ignore_body = ['nonce']",
        "a pointer begins with `/`; write \"/nonce\"",
    ),
    (
        "matcher.ignore_body = ['/a*b']",
        "`*` is a part of the step `a*b`",
    ),
    ("matcher.ignore_body = ['/a~b']", "write `~0` for `~`"),
    (
        "redactor.json_pointers = ['/x-*']",
        "`*` is a part of the step `x-*`",
    ),
    ("redactor.json_pointers = ''", "the pointer is empty"),
    (
        "redactor.headers = { 'x y' = 'id' }",
        "\"x y\" is not a header name",
    ),
    (
        "redactor.headers = { x = 'Id' }",
        "`x`: \"Id\" is not a class of secrets",
    ),
    (
        "redactor.query = [1]",
        "redactor.query[0]: expected a string",
    ),
    (
        "redactor.json = 7",
        "expected a string, found the integer 7",
    ),
    (
        "redactor.patterns = ['a+']",
        "expected a table, found an array",
    ),
    ("redactor.patterns = { id = 1 }", "`id`: expected a string"),
    (
        "redactor.volatile_headers = ['a b']",
        "\"a b\" is not a header name",
    ),
    ("policy.skip_paths = ['health']", "begin it with `/` or `*`"),
    (
        "policy.skip_methods = ['GET /']",
        "\"GET /\" is not a method",
    ),
    (
        "policy.skip_status = ['5xx']",
        "write a code from 100 to 599",
    ),
    (
        "policy.skip_status = [true]",
        "expected a status code or a range, found the boolean true",
    ),
    (
        "policy.skip_statuses = [404]",
        "did you mean `skip_status`?",
    ),
];

#[test]
fn values_of_built_in_plugins_have_a_form() {
    for (line, part) in FORMS {
        let error = read(line, &[]).unwrap_err().to_string();
        let key = line.split(' ').next().unwrap();
        assert!(
            error.contains(":1: ") && error.contains(key) && error.contains(part),
            "{line}: {error}"
        );
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    for line in [
        "matcher.headers = '*'",
        "matcher.ignore_query = ['utm_*', 'n']",
        "matcher.ignore_body = ['/*/id', '/a~0b', '']",
        "redactor.headers = ['*-token']",
        "redactor.json = { pin = 'card-pin' }",
        "policy.skip_status = [404, '500-599']",
        "policy.skip_methods = 'options'",
    ] {
        assert!(read(line, &[]).is_ok(), "{line}: {:?}", read(line, &[]));
    }
}
