//! The checks of the repository. Contributors run single steps; CI runs all of them in order.

mod command;
mod conformance;
mod new_project;
mod table;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

pub(crate) use table::STEPS;

pub(crate) const USAGE: &str = "\
usage: cargo xtask step NAME...   run these steps, in the order given
       cargo xtask ci             run all steps in turn, stop at the first that fails
       cargo xtask steps          list the steps
";

/// One check.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    /// What it checks, in one line.
    pub(crate) about: &'static str,
    pub(crate) run: fn(&Workspace) -> anyhow::Result<()>,
}

/// The checkout that is checked.
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The checkout that this command was built from.
    pub(crate) fn of_this_build() -> anyhow::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let root = root.canonicalize().context("the checkout is gone")?;
        Ok(Self { root })
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }
}

/// The steps with these names.
pub(crate) fn named(names: &[String]) -> anyhow::Result<Vec<&'static Step>> {
    let find = |name: &String| {
        let known = STEPS.iter().find(|step| step.name == name);
        known.with_context(|| format!("unknown step `{name}`; `cargo xtask steps` lists them"))
    };
    if names.is_empty() {
        bail!("no step named\n{USAGE}");
    }
    names.iter().map(find).collect()
}

/// A line for each step.
pub(crate) fn list() -> String {
    let width = STEPS.iter().map(|step| step.name.len()).max().unwrap_or(0);
    let line = |step: &Step| format!("{:width$}  {}\n", step.name, step.about);
    STEPS.iter().map(line).collect()
}

/// Runs steps in order and stops at the first failure. Returns the summary with the duration of
/// each step, and whether all passed.
pub(crate) fn run(
    workspace: &Workspace,
    steps: impl IntoIterator<Item = &'static Step>,
) -> (String, bool) {
    let start = Instant::now();
    let mut summary = String::new();
    for step in steps {
        eprintln_line(&format!("\n=== {}: {}", step.name, step.about));
        let start = Instant::now();
        let result = (step.run)(workspace);
        let line = timed(start.elapsed(), step.name);
        if let Err(error) = result {
            summary += &format!("{line}  FAILED: {error:#}\n");
            return (summary, false);
        }
        summary += &format!("{line}\n");
    }
    summary += &format!("{}\n", timed(start.elapsed(), "all steps"));
    (summary, true)
}

fn timed(elapsed: Duration, name: &str) -> String {
    format!("{:5} s  {name}", elapsed.as_secs())
}

/// Progress goes to stderr, so that stdout has the summary alone.
fn eprintln_line(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn step_names_are_unique_and_found() {
        for step in STEPS {
            let found = named(&[step.name.to_owned()]).unwrap();
            assert_eq!(found[0].about, step.about);
        }
        let error = named(&["nonsense".to_owned()]).err().unwrap();
        assert!(error.to_string().contains("unknown step `nonsense`"));
    }

    #[test]
    fn the_first_failure_ends_a_run_and_stands_in_the_summary() {
        const GOOD: Step = Step {
            name: "good",
            about: "passes",
            run: |_| Ok(()),
        };
        const BAD: Step = Step {
            name: "bad",
            about: "fails",
            run: |_| bail!("out of luck"),
        };
        let workspace = Workspace::of_this_build().unwrap();
        let (summary, passed) = run(&workspace, [&GOOD, &BAD, &GOOD]);
        assert!(!passed);
        assert_eq!(summary.matches("good").count(), 1);
        assert!(summary.ends_with("bad  FAILED: out of luck\n"), "{summary}");
    }
}
