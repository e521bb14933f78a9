//! The options of `cargo xtask graph`.

use anyhow::{Context as _, bail};

/// Help text.
pub(crate) const USAGE: &str = "\
usage: cargo xtask graph [--crate NAME] [--tests]

Prints the crates below host/ in layers. Fails on import circles between files of a crate, and on
dependencies that only certain crates may have.

  --crate NAME   check one crate only
  --tests        include items under #[cfg(test)]
";

/// What to check.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// The only crate to check.
    pub(super) crate_name: Option<String>,
    /// Whether items under `#[cfg(test)]` count.
    pub(super) tests: bool,
}

impl Options {
    /// `None` if the arguments ask for help.
    pub(crate) fn parse(arguments: &[String]) -> anyhow::Result<Option<Self>> {
        let mut options = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--tests" => options.tests = true,
                "--crate" => {
                    let name = arguments.next().context("--crate needs a name")?;
                    options.crate_name = Some(name.clone());
                }
                "-h" | "--help" => return Ok(None),
                unknown => bail!("unknown argument `{unknown}`\n{USAGE}"),
            }
        }
        Ok(Some(options))
    }
}
