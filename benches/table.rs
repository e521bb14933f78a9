//! The results, each with its baseline.

use std::path::PathBuf;
use std::time::SystemTime;

/// The table that is printed at the end.
pub(crate) struct Table {
    /// The folder of criterion's results.
    folder: PathBuf,
    start: SystemTime,
    rows: Vec<[String; 5]>,
}

impl Table {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            start: SystemTime::now(),
            rows: Vec::new(),
        }
    }

    /// Adds two times that criterion measured in this run; each iteration processed `bytes` bytes.
    pub(crate) fn times(
        &mut self,
        what: &str,
        group: &str,
        (figure, baseline): (&str, &str),
        bytes: Option<usize>,
    ) {
        let measured = self.median(group, figure).zip(self.median(group, baseline));
        // A filter excluded one of them.
        let Some((time, other)) = measured else {
            return;
        };
        let (shown, beside) = (shown(time, bytes), shown(other, bytes));
        self.row(what, shown, baseline, beside, time / other);
    }

    pub(crate) fn row(
        &mut self,
        what: &str,
        figure: String,
        beside: &str,
        baseline: String,
        ratio: f64,
    ) {
        let (what, beside) = (what.to_owned(), beside.to_owned());
        let row = [what, figure, beside, baseline, format!("{ratio:.2}")];
        self.rows.push(row);
    }

    pub(crate) fn print(&self) {
        if self.rows.is_empty() {
            return;
        }
        let head = ["figure", "measured", "baseline", "measured", "ratio"].map(str::to_owned);
        let mut widths = head.each_ref().map(String::len);
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        println!();
        for row in std::iter::once(&head).chain(&self.rows) {
            let [a, b, c, d, e] = row;
            let [aw, bw, cw, dw, ew] = widths;
            println!("{a:aw$}  {b:>bw$}  {c:cw$}  {d:>dw$}  {e:>ew$}");
        }
        println!(
            "\nratio: figure divided by baseline. Lower times and higher requests/s are better."
        );
    }

    /// The median in nanoseconds; none if it was not measured in this run.
    fn median(&self, group: &str, figure: &str) -> Option<f64> {
        let file = self.folder.join(group).join(figure);
        let file = file.join("new/estimates.json");
        if file.metadata().ok()?.modified().ok()? < self.start {
            return None;
        }
        let estimates = std::fs::read(file).ok()?;
        let estimates: serde_json::Value = serde_json::from_slice(&estimates).ok()?;
        estimates["median"]["point_estimate"].as_f64()
    }
}

fn shown(nanoseconds: f64, bytes: Option<usize>) -> String {
    let time = duration(nanoseconds);
    match bytes {
        None => time,
        Some(bytes) => {
            let rate = bytes as f64 / (1 << 20) as f64 / (nanoseconds / 1e9);
            format!("{time} ({rate:.0} MiB/s)")
        }
    }
}

/// A time in a suitable unit.
pub(crate) fn duration(nanoseconds: f64) -> String {
    match nanoseconds {
        short if short < 1e3 => format!("{short:.0} ns"),
        short if short < 1e6 => format!("{:.2} µs", short / 1e3),
        long if long < 1e9 => format!("{:.2} ms", long / 1e6),
        long => format!("{:.2} s", long / 1e9),
    }
}

/// The median of some figures.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
