//! Secrets in the target of a request, in its path and in its query, and in forms.

use crate::free_text::TextLocation;
use crate::name_matcher::NameMap;
use crate::pass::RedactionPass;
use crate::placeholder;
use crate::rule::Rule;
use crate::splice::{self, Replacement};
use ouli_codec::form;

impl RedactionPass<'_> {
    /// A target without its secrets. None where nothing changes.
    pub(super) fn redact_target(&mut self, target: &str) -> Option<String> {
        let Some((path, query)) = target.split_once('?') else {
            return self.path(target);
        };
        let new_query = self.query(query);
        let new_path = self.path(path);
        if new_path.is_none() && new_query.is_none() {
            return None;
        }
        let path = new_path.as_deref().unwrap_or(path);
        Some(format!("{path}?{}", new_query.as_deref().unwrap_or(query)))
    }

    pub(super) fn path(&mut self, path: &str) -> Option<String> {
        self.redact_free_text(path, TextLocation::UrlEncoded, 0)
    }

    pub(super) fn query(&mut self, query: &str) -> Option<String> {
        let rules = self.rules;
        self.pairs(query, &form::parse(query.as_bytes()), &rules.query)
    }

    /// The parameters of a query without its secrets, decoded.
    pub(super) fn redact_parameters(&mut self, query: &str) -> Vec<(String, String)> {
        let rules = self.rules;
        let mut pairs = form::parse(query.as_bytes());
        if let Some(new) = self.pairs(query, &pairs, &rules.query) {
            pairs = form::parse(new.as_bytes());
        }
        pairs
            .into_iter()
            .map(|pair| (pair.name, pair.value))
            .collect()
    }

    pub(super) fn form(&mut self, text: &str) -> Option<String> {
        let rules = self.rules;
        self.pairs(text, &form::parse(text.as_bytes()), &rules.form)
    }

    /// First what rules name, then what the other values hold decoded, then the text as it stands.
    fn pairs(&mut self, text: &str, pairs: &[form::Pair], rules: &NameMap<Rule>) -> Option<String> {
        let named = pairs.iter().filter_map(|pair| {
            let new = match rules.get(&pair.name) {
                Some(rule) => {
                    placeholder::encoded(&self.placeholder_for(rule, pair.value.as_bytes())?)
                }
                None => form::encode_component(&self.value(&pair.value)?),
            };
            Some(Replacement::new(pair.value_span.clone(), new))
        });
        let named = splice::text(text, named.collect());
        let rest = self.redact_free_text(
            named.as_deref().unwrap_or(text),
            TextLocation::UrlEncoded,
            0,
        );
        rest.or(named)
    }

    /// Values that are words need no look: the text as a whole gets one.
    fn value(&mut self, value: &str) -> Option<String> {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if value.bytes().all(word) {
            return None;
        }
        self.redact_free_text(value, TextLocation::Body, 1)
    }
}
