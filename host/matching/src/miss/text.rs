//! The report of a miss for the terminal: aligned lines without colours.

use super::cause::Cause;
use super::difference::Difference;
use super::guidance::Remedy;
use super::report::{Miss, Nearest};
use super::sentence::REPEAT;
use ouli_message::printable::printable;

/// Cells wider than this do not widen their column.
const MAX_ALIGNED_WIDTH: usize = 40;

impl Miss {
    /// The report as lines, each with a line break. Control characters of requests are escaped.
    pub fn to_text(&self) -> String {
        let mut lines = vec![format!(
            "miss  {}  (session {})",
            self.request_line, self.session
        )];
        let session = &self.session;
        match &self.cause {
            Cause::NoMatch => {}
            Cause::OtherIdentity(conflict) => lines.push(format!("  {}", conflict.clause())),
            Cause::ReplayedSecret(secret) => lines.push(format!("  {}", secret.clause())),
            Cause::Edited { exchange } => lines.push(format!(
                "  exchange {exchange} matches, but it was edited and is not replayed (strict)"
            )),
            Cause::NoCassette => lines.push(format!("  session {session} has no cassette")),
            Cause::Empty => lines.push(format!("  session {session} is empty")),
            Cause::Exhausted { recorded } => {
                lines.push(format!("  recorded {}; {REPEAT}", times(*recorded)))
            }
        }
        let edits = self.unavailable.edits().filter(|_| !self.is_edited());
        let unavailable = self.unavailable.damage().into_iter().chain(edits);
        let unavailable = unavailable.chain(self.unavailable.limited());
        lines.extend(unavailable.map(|clause| format!("  {clause}")));
        for (index, nearest) in self.nearest.iter().enumerate() {
            nearest.write(index + 1, &mut lines);
        }
        if let Some(remedy) = &self.remedy {
            remedy.write(&mut lines);
        }
        if let Some(advice) = &self.command {
            let introduction = advice.introduction();
            let introduction = introduction.strip_suffix(", run").unwrap_or(introduction);
            lines.push(format!("  {introduction}: {}", advice.command));
        }
        let mut text = String::new();
        for line in lines {
            text.push_str(&printable(&line));
            text.push('\n');
        }
        text
    }
}

fn times(recorded: usize) -> String {
    match recorded {
        1 => "once, and it was replayed".to_owned(),
        recorded => format!("{recorded} times, and all were replayed"),
    }
}

impl Remedy {
    fn write(&self, lines: &mut Vec<String>) {
        let exchange = self.exchange;
        let effects = self.side_effects();
        match &self.instruction {
            Some(instruction) => {
                lines.push(format!(
                    "  to match exchange {exchange}, {instruction}{effects}:"
                ));
                lines.extend(self.section.lines().map(|line| format!("    {line}")));
            }
            None => lines.push(format!(
                "  to match exchange {exchange}, add: {}{effects}",
                self.flags
            )),
        }
    }
}

impl Nearest {
    fn write(&self, number: usize, lines: &mut Vec<String>) {
        let used = if self.replayed {
            "  (already replayed)"
        } else {
            ""
        };
        let (ordinal, line) = (self.ordinal, &self.request_line);
        lines.push(format!(
            "  nearest {number}: exchange {ordinal}  {line}{used}"
        ));
        let rows: Vec<_> = self.differences.iter().map(row).collect();
        let width = |column: usize| {
            let widths = rows.iter().map(|row| row[column].chars().count());
            widths
                .filter(|width| *width <= MAX_ALIGNED_WIDTH)
                .max()
                .unwrap_or(0)
        };
        let widths = [width(0), width(1), width(2)];
        for (row, difference) in rows.iter().zip(&self.differences) {
            let cells = row.iter().zip(widths);
            let cells = cells.map(|(cell, width)| format!("{cell:width$}"));
            let cells: Vec<_> = cells.collect();
            let line = format!("    {}", cells.join("   "));
            lines.push(format!("{line}   ({})", difference.resolution));
        }
        if self.omitted_differences > 0 {
            lines.push(format!("    and {} more", self.omitted_differences));
        }
    }
}

fn row(difference: &Difference) -> [String; 3] {
    let location = difference.location();
    match (&difference.live, &difference.recorded) {
        (None, None) => [location, String::new(), String::new()],
        (live, recorded) => [
            location,
            side("sent", live.as_deref()),
            side("recorded", recorded.as_deref()),
        ],
    }
}

fn side(verb: &str, value: Option<&str>) -> String {
    match value {
        Some(value) => format!("{verb} {value}"),
        None => format!("not {verb}"),
    }
}
