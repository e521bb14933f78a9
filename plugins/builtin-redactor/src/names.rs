//! Names of secrets with their classes, for example `["pin"]` or `{ pin = "card-pin" }`.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Names with their classes.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "Value")]
pub(crate) struct Names(Vec<(String, String)>);

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected a list of names, or a table from name to class"
)]
enum Value {
    List(Vec<String>),
    Table(BTreeMap<String, String>),
}

impl Names {
    /// Every name with its class.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, class)| (name.as_str(), class.as_str()))
    }
}

impl From<Value> for Names {
    fn from(value: Value) -> Self {
        Self(match value {
            Value::List(names) => names.into_iter().map(with_class).collect(),
            Value::Table(classes) => classes.into_iter().collect(),
        })
    }
}

/// A name with a class made from it: `Account_PIN` and the pointer `/*/Account_PIN` get
/// `account-pin`.
fn with_class(name: String) -> (String, String) {
    let last = name
        .rsplit('/')
        .find(|step| step.contains(|c: char| c.is_ascii_alphabetic()));
    let lower = last.unwrap_or_default().to_ascii_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let class = words.join("-");
    match is_class(&words) {
        true => (name, class),
        false => (name, OTHER.to_owned()),
    }
}

/// A class starts with a letter. It does not end with a number, because a number follows in the
/// placeholder.
fn is_class(words: &[&str]) -> bool {
    let letter = |word: &&str| word.starts_with(|c: char| c.is_ascii_lowercase());
    let number = |word: &&str| word.bytes().all(|byte| byte.is_ascii_digit());
    words.first().is_some_and(letter) && !words.last().is_some_and(number)
}

/// The class of names from which no class can be made.
const OTHER: &str = "secret";

#[cfg(test)]
mod tests {
    use super::Names;

    fn parse(json: &str) -> Vec<(String, String)> {
        let names: Names = serde_json::from_str(json).unwrap();
        names.0
    }

    #[test]
    fn the_class_of_a_listed_name_is_made_from_the_name() {
        for (name, class) in [
            ("pin", "pin"),
            ("Account_PIN", "account-pin"),
            ("x--api..key", "x-api-key"),
            ("*-token", "token"),
            ("/cards/*/number", "number"),
            ("/cards/0", "cards"),
            ("pin-2", "secret"),
            ("2fa", "secret"),
            ("", "secret"),
            ("\u{e9}", "secret"),
        ] {
            assert_eq!(
                parse(&format!("[{name:?}]")),
                [(name.to_owned(), class.to_owned())]
            );
        }
    }

    #[test]
    fn a_table_sets_the_classes() {
        let expected = [("pin".to_owned(), "card-pin".to_owned())];
        assert_eq!(parse(r#"{"pin": "card-pin"}"#), expected);
        let error = serde_json::from_str::<Names>(r#""pin""#)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("expected a list of names, or a table"),
            "{error}"
        );
    }
}
