//! The report of a miss for the terminal: aligned lines without colours.

use super::difference::Difference;
use super::report::{Cause, Miss, Nearest};

/// Cells wider than this do not widen their column.
const MAX_ALIGNED_WIDTH: usize = 40;

impl Miss {
    /// The report as lines, each with a line break. Control characters of requests are replaced.
    pub fn to_text(&self) -> String {
        let mut lines = vec![format!(
            "miss  {}  (session {})",
            self.request_line, self.session
        )];
        match self.cause {
            Cause::NoMatch => {}
            Cause::NoCassette | Cause::Empty | Cause::Exhausted { .. } => {
                lines.push(format!("  {}; {}", self.cause(), self.advice()));
            }
        }
        for (index, nearest) in self.nearest.iter().enumerate() {
            nearest.write(index + 1, &mut lines);
        }
        if self.cause == Cause::NoMatch {
            lines.push(format!("  {}", self.advice()));
        }
        let mut text = String::new();
        for line in lines {
            text.extend(line.chars().map(printable));
            text.push('\n');
        }
        text
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
        let (first, second) = (width(0), width(1));
        for (index, [location, live, recorded]) in rows.iter().enumerate() {
            let line = format!("    {location:first$}   {live:second$}   {recorded}");
            lines.push(line.trim_end().to_owned());
            let remedy = &self.differences[index].remedy;
            let next = self.differences.get(index + 1);
            if next.is_none_or(|next| next.remedy != *remedy) {
                lines.push(format!("      {remedy}"));
            }
        }
        if self.omitted_differences > 0 {
            lines.push(format!("    and {} more", self.omitted_differences));
        }
    }
}

fn row(difference: &Difference) -> [String; 3] {
    let location = match &difference.at {
        Some(at) => format!("{} {at}", difference.part),
        None => difference.part.clone(),
    };
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

fn printable(character: char) -> char {
    if character.is_control() {
        char::REPLACEMENT_CHARACTER
    } else {
        character
    }
}
