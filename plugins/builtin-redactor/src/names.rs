//! Names of secrets with their classes: `["pin"]`, or `{ pin = "card-pin" }`.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What to take out, with the class of each.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "Written")]
pub(crate) struct Names(Vec<(String, String)>);

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected a list of names, or a table from name to class"
)]
enum Written {
    List(Vec<String>),
    Table(BTreeMap<String, String>),
}

impl Names {
    /// Every name with its class.
    pub(crate) fn each(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, class)| (name.as_str(), class.as_str()))
    }
}

impl From<Written> for Names {
    fn from(written: Written) -> Self {
        Self(match written {
            Written::List(names) => names.into_iter().map(with_class).collect(),
            Written::Table(classes) => classes.into_iter().collect(),
        })
    }
}

/// `Account_PIN` is of class `account-pin`, and so is what stands at `/*/Account_PIN`.
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

/// A stand-in ends in a number, so that a class must not; and it begins as a word does.
fn is_class(words: &[&str]) -> bool {
    let letter = |word: &&str| word.starts_with(|c: char| c.is_ascii_lowercase());
    let number = |word: &&str| word.bytes().all(|byte| byte.is_ascii_digit());
    words.first().is_some_and(letter) && !words.last().is_some_and(number)
}

/// The class of what has a name that can be none.
const OTHER: &str = "secret";

#[cfg(test)]
mod tests {
    use super::Names;

    fn read(json: &str) -> Vec<(String, String)> {
        let names: Names = serde_json::from_str(json).unwrap();
        names.0
    }

    #[test]
    fn a_name_in_a_list_is_its_own_class() {
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
                read(&format!("[{name:?}]")),
                [(name.to_owned(), class.to_owned())]
            );
        }
    }

    #[test]
    fn a_table_gives_the_classes() {
        let expected = [("pin".to_owned(), "card-pin".to_owned())];
        assert_eq!(read(r#"{"pin": "card-pin"}"#), expected);
        let error = serde_json::from_str::<Names>(r#""pin""#)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("expected a list of names, or a table"),
            "{error}"
        );
    }
}
