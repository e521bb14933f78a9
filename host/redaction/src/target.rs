//! Redaction of the target of a request, its path and query, and of urlencoded forms.

use crate::free_text::TextLocation;
use crate::identities::SIGNATURE;
use crate::name_matcher::NameMap;
use crate::pass::RedactionPass;
use crate::placeholder;
use crate::rule::Rule;
use crate::splice::TextSplicer;
use ouli_codec::form;

impl RedactionPass<'_> {
    /// Redacts a target. None if nothing changes.
    pub(super) fn redact_target(&mut self, target: &str) -> Option<String> {
        let Some((path, query)) = target.split_once('?') else {
            return self.redact_path(target);
        };
        let redacted_query = self.redact_query(query);
        let redacted_path = self.redact_path(path);
        if redacted_path.is_none() && redacted_query.is_none() {
            return None;
        }
        let path = redacted_path.as_deref().unwrap_or(path);
        Some(format!(
            "{path}?{}",
            redacted_query.as_deref().unwrap_or(query)
        ))
    }

    pub(super) fn redact_path(&mut self, path: &str) -> Option<String> {
        self.redact_free_text(path, TextLocation::UrlEncoded, 0)
    }

    pub(super) fn redact_query(&mut self, query: &str) -> Option<String> {
        let rules = self.rules;
        self.redact_pairs(query, form::pairs(query.as_bytes()), &rules.query)
    }

    /// The decoded parameters of a redacted query.
    pub(super) fn redact_parameters(&mut self, query: &str) -> Vec<(String, String)> {
        let rules = self.rules;
        let new = self.redact_pairs(query, form::pairs(query.as_bytes()), &rules.query);
        let pairs = form::pairs(new.as_deref().unwrap_or(query).as_bytes());
        pairs.map(|pair| (pair.name, pair.value)).collect()
    }

    pub(super) fn redact_form(&mut self, text: &str) -> Option<String> {
        let rules = self.rules;
        self.redact_pairs(text, form::pairs(text.as_bytes()), &rules.form)
    }

    /// Redacts the id of a key, and the scope in which it signs. The scope has a class of its own:
    /// with the date in it, it identifies nobody.
    fn redact_scoped(&mut self, rule: &Rule, (id, scope): (&str, &str)) -> Option<String> {
        let scope = scope.strip_prefix('/').unwrap_or(scope);
        let scope_rule = Rule::new(&rule.id, SIGNATURE);
        let new_id = self.placeholder_for_account(rule, id.as_bytes());
        let new_scope = self.placeholder_for_account(&scope_rule, scope.as_bytes());
        if new_id.is_none() && new_scope.is_none() {
            return None;
        }
        let [id, scope] = [(new_id, id), (new_scope, scope)].map(|(new, old)| match new {
            Some(new) => placeholder::encoded(&new),
            None => form::encode_component(old),
        });
        Some(format!("{id}%2F{scope}"))
    }

    /// Redacts the values that rules name, then the other decoded values, then the encoded text.
    fn redact_pairs(
        &mut self,
        text: &str,
        pairs: impl Iterator<Item = form::Pair>,
        rules: &NameMap<Rule>,
    ) -> Option<String> {
        let mut out = TextSplicer::new(text);
        for pair in pairs {
            let new = match rules.get(&pair.name) {
                Some(rule) => match scope_start(&pair) {
                    Some(start) => self.redact_scoped(rule, pair.value.split_at(start)),
                    None => self
                        .placeholder_for(rule, pair.value.as_bytes())
                        .map(|new| placeholder::encoded(&new)),
                },
                None => self
                    .redact_pair_value(&pair.value)
                    .map(|new| form::encode_component(&new)),
            };
            if let Some(new) = new {
                out.replace(pair.value_span, &new);
            }
        }
        let named = out.finish();
        let rest = self.redact_free_text(
            named.as_deref().unwrap_or(text),
            TextLocation::UrlEncoded,
            0,
        );
        rest.or(named)
    }

    /// Values that equal their encoded form are skipped: they are redacted with the encoded text.
    fn redact_pair_value(&mut self, value: &str) -> Option<String> {
        let is_word_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if value.bytes().all(is_word_byte) {
            return None;
        }
        self.redact_free_text(value, TextLocation::Body, 1)
    }
}

/// Where the scope begins in `ID/DATE/REGION/SERVICE/aws4_request`, the credential of a presigned
/// URL (AWS signature version 4).
fn scope_start(pair: &form::Pair) -> Option<usize> {
    let name = pair.name.to_ascii_lowercase();
    let start = pair
        .value
        .find('/')
        .filter(|_| name.ends_with("-credential"))?;
    let scope = &pair.value[start + 1..];
    let is_scope = scope.ends_with("_request") || placeholder::is_placeholder(scope.as_bytes());
    is_scope.then_some(start)
}
