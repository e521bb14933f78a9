//! `plugin new`: creates a project that builds with one command and passes its test cases.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::{fs, io};

use super::templates;
use crate::args::Lang;
use crate::exit_status::{EXIT_OK, usage_error};
use crate::output::outln;

/// Creates the project in `folder`, whose last part is the name of the plugin.
pub(super) fn new(folder: &Path, lang: Lang) -> u8 {
    let Some(name) = folder.file_name().and_then(|name| name.to_str()) else {
        return usage_error(
            "the project has no name; example: `ouli-gateway plugin new my-matcher`",
        );
    };
    if !is_name(name) {
        return usage_error(&format!(
            "`{}` cannot be the name of a plugin: a name begins with a lower-case letter and \
             consists of lower-case letters, digits and `-`, such as `my-matcher`",
            name.escape_debug()
        ));
    }
    if folder.exists() {
        return usage_error(&format!(
            "{} already exists; choose another name or remove it",
            folder.display()
        ));
    }
    if let Err((path, error)) = write(folder, name, lang) {
        return usage_error(&format!("cannot write {path}: {error}"));
    }
    let output = fill(lang.output(), name);
    outln!("wrote {}", folder.display());
    outln!("next:");
    outln!("  cd {}", folder.display());
    outln!("  {}", fill(lang.build(), name));
    outln!("  ouli-gateway plugin test {output}");
    outln!("README.md lists the required tools and shows how to use the plugin.");
    EXIT_OK
}

/// A name that the tools of every language accept.
fn is_name(name: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(is_allowed)
        && !name.ends_with('-')
        && name.len() <= 64
}

fn write(folder: &Path, name: &str, lang: Lang) -> Result<(), (String, io::Error)> {
    for (path, text) in templates::files(lang) {
        let target = folder.join(fill(path, name));
        let written = (|| {
            if let Some(parent) = target.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(&target, content(path, text, name))?;
            if text.starts_with("#!") {
                fs::set_permissions(&target, fs::Permissions::from_mode(0o755))?;
            }
            Ok(())
        })();
        written.map_err(|error| (target.display().to_string(), error))?;
    }
    Ok(())
}

/// The SDK and the contract are copied unchanged; only the template has placeholders for the name.
fn content(path: &str, text: &str, name: &str) -> String {
    if path.starts_with("sdk/") || path.starts_with("wit/") {
        return text.to_owned();
    }
    fill(text, name)
}

/// Replaces the placeholders for the name.
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
    fn accepts_names_that_suit_every_language() {
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
    fn every_placeholder_is_replaced() {
        for lang in Lang::ALL {
            for (path, text) in templates::files(lang) {
                let filled = content(path, text, "my-own");
                let unchanged = filled == text;
                assert!(unchanged || !filled.contains("{{name"), "{path}");
                assert!(!fill(path, "my-own").contains("__name"), "{path}");
            }
        }
    }
}
