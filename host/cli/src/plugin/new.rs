//! `plugin new`: writes a project that builds with one command and passes its cases.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::{fs, io};

use super::templates;
use crate::args::Lang;
use crate::output::say;
use crate::{EXIT_OK, usage_error};

/// Writes the project `at`, whose last name is the plugin's.
pub(super) fn new(at: &Path, lang: Lang) -> u8 {
    let Some(name) = at.file_name().and_then(|name| name.to_str()) else {
        return usage_error("give the project a name, as `ouli-gateway plugin new my-matcher`");
    };
    if !is_name(name) {
        return usage_error(&format!(
            "`{}` cannot be the name of a plugin: it begins with a lower-case letter and has \
             lower-case letters, digits and `-`, as `my-matcher`",
            name.escape_debug()
        ));
    }
    if at.exists() {
        return usage_error(&format!(
            "{} is already there; choose another name, or remove it",
            at.display()
        ));
    }
    if let Err((path, error)) = write(at, name, lang) {
        return usage_error(&format!("cannot write {path}: {error}"));
    }
    let output = fill(lang.output(), name);
    say!("wrote {}", at.display());
    say!("next:");
    say!("  cd {}", at.display());
    say!("  {}", fill(lang.build(), name));
    say!("  ouli-gateway plugin test {output}");
    say!("README.md says what it needs, and how to use the plugin.");
    EXIT_OK
}

/// A name that every language's tools take.
fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(fits)
        && !name.ends_with('-')
        && name.len() <= 64
}

fn write(at: &Path, name: &str, lang: Lang) -> Result<(), (String, io::Error)> {
    for (own, text) in templates::files(lang) {
        let path = at.join(fill(own, name));
        let written = (|| {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(&path, content(own, text, name))?;
            if text.starts_with("#!") {
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
            }
            Ok(())
        })();
        written.map_err(|error| (path.display().to_string(), error))?;
    }
    Ok(())
}

/// The SDK and the contract are as they are; only the template has places for the name.
fn content(path: &str, text: &str, name: &str) -> String {
    if path.starts_with("sdk/") || path.starts_with("wit/") {
        return text.to_owned();
    }
    fill(text, name)
}

/// Puts the name in its places.
fn fill(text: &str, name: &str) -> String {
    let snake = name.replace('-', "_");
    text.replace("{{name}}", name)
        .replace("{{name_snake}}", &snake)
        .replace("__name__", name)
        .replace("__name_snake__", &snake)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_suits_every_language() {
        for (name, expected) in [
            ("my-matcher", true),
            ("a2", true),
            ("2a", false),
            ("My", false),
            ("a_b", false),
            ("a-", false),
            ("", false),
            ("..", false),
        ] {
            assert_eq!(is_name(name), expected, "{name}");
        }
    }

    #[test]
    fn no_name_placeholder_is_left() {
        for lang in Lang::ALL {
            for (path, text) in templates::files(lang) {
                let filled = content(path, text, "my-own");
                let kept = filled == text;
                assert!(kept || !filled.contains("{{name"), "{path}");
                assert!(!fill(path, "my-own").contains("__name"), "{path}");
            }
        }
    }
}
