//! Withholds texts of a report that may hold a secret.

use super::report::Miss;

/// Shown instead of a text.
const WITHHELD: &str = "<withheld>";

impl Miss {
    /// Replaces each text that stems from a request and that `is_secret`.
    pub fn withhold(&mut self, is_secret: impl Fn(&str) -> bool) {
        let mask = |text: &mut String| {
            if is_secret(text) {
                *text = WITHHELD.to_owned();
            }
        };
        mask(&mut self.request_line);
        for nearest in &mut self.nearest {
            mask(&mut nearest.request_line);
            for difference in &mut nearest.differences {
                let texts = [
                    &mut difference.at,
                    &mut difference.live,
                    &mut difference.recorded,
                ];
                texts.into_iter().flatten().for_each(mask);
            }
        }
        let is_shown = |text: &str| !is_secret(text);
        let remedy = self.remedy.take();
        self.remedy = remedy.filter(|remedy| is_shown(&remedy.section) && is_shown(&remedy.flags));
        self.command = self
            .command
            .take()
            .filter(|advice| is_shown(&advice.command));
    }
}
