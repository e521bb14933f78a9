//! The exchanges of one key, by what selected their responses.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::key_group::KeyGroup;
use super::position_list::ListIds;
use ouli_matching::key::{Criteria, IdentityUse, SelectingFields, Variant};
use ouli_message::Fields;

/// Different criteria of one key. A request is looked up once by each of them, and a server has one
/// or two for a resource.
const MAX_CRITERIA: usize = 64;

/// A group for each variant. A request is compared with no variant: it is looked up by its values
/// for each of the criteria.
#[derive(Debug, Default)]
pub(super) struct KeyGroups {
    /// The exchanges whose responses suit every request.
    any: Option<KeyGroup>,
    by_criteria: Vec<SelectedGroups>,
}

/// The groups of variants with equal criteria.
#[derive(Debug)]
struct SelectedGroups {
    criteria: Arc<Criteria>,
    groups: VariantGroups,
}

/// Most keys have one variant.
#[derive(Debug)]
enum VariantGroups {
    One(ByValues, KeyGroup),
    Many(HashMap<ByValues, KeyGroup>),
}

/// A variant among those with equal criteria.
#[derive(Debug)]
struct ByValues(Arc<Variant>);

impl KeyGroups {
    /// Adds a position to the group of its variant, none if its response suits every request.
    /// Variants with equal criteria share them. False if there are too many criteria.
    pub(super) fn add(
        &mut self,
        variant: Option<&Arc<Variant>>,
        exchange: (usize, &[IdentityUse]),
        ids: &mut ListIds,
    ) -> bool {
        let group = match variant {
            None => Some(self.any.get_or_insert_with(|| KeyGroup::new(ids))),
            Some(variant) => self.selected_by(variant, ids),
        };
        let is_added = group.is_some();
        if let Some(group) = group {
            group.add(exchange, ids);
        }
        is_added
    }

    /// The group of a variant. None if it has further criteria.
    fn selected_by(&mut self, variant: &Arc<Variant>, ids: &mut ListIds) -> Option<&mut KeyGroup> {
        let known = &mut self.by_criteria;
        let (criteria, values) = (variant.criteria(), ByValues(Arc::clone(variant)));
        let mut places = known.iter();
        let place = places.position(|it| Arc::ptr_eq(&it.criteria, criteria));
        let place = match place {
            Some(place) => place,
            None if known.len() >= MAX_CRITERIA => return None,
            None => {
                known.reserve_exact(1);
                known.push(SelectedGroups {
                    criteria: Arc::clone(criteria),
                    groups: VariantGroups::One(values, KeyGroup::new(ids)),
                });
                let SelectedGroups { groups, .. } = known.last_mut()?;
                return groups.get_mut(variant.values());
            }
        };
        Some(known[place].groups.get_or_insert(values, ids))
    }

    /// The groups whose responses suit a request with these fields.
    pub(super) fn suitable(&self, live: &Fields) -> Vec<&KeyGroup> {
        let mut suitable: Vec<_> = self.any.iter().collect();
        if !self.by_criteria.is_empty() {
            let live = SelectingFields::of(live);
            let selected = self.by_criteria.iter().filter_map(|selected| {
                let values = selected.criteria.values(&live)?;
                selected.groups.get(values.as_slice())
            });
            suitable.extend(selected);
        }
        suitable
    }

    /// The group of a variant.
    pub(super) fn of_variant(&self, variant: Option<&Arc<Variant>>) -> Option<&KeyGroup> {
        let Some(variant) = variant else {
            return self.any.as_ref();
        };
        let mut known = self.by_criteria.iter();
        let selected = known.find(|it| Arc::ptr_eq(&it.criteria, variant.criteria()))?;
        selected.groups.get(variant.values())
    }

    /// All groups.
    pub(super) fn all(&self) -> impl Iterator<Item = &KeyGroup> {
        let selected = self.by_criteria.iter();
        let selected = selected.flat_map(|selected| selected.groups.all());
        self.any.iter().chain(selected)
    }
}

impl VariantGroups {
    fn get(&self, values: &[u8]) -> Option<&KeyGroup> {
        match self {
            Self::One(own, group) => (own.0.values() == values).then_some(group),
            Self::Many(groups) => groups.get(values),
        }
    }

    fn get_mut(&mut self, values: &[u8]) -> Option<&mut KeyGroup> {
        match self {
            Self::One(own, group) => (own.0.values() == values).then_some(group),
            Self::Many(groups) => groups.get_mut(values),
        }
    }

    fn get_or_insert(&mut self, values: ByValues, ids: &mut ListIds) -> &mut KeyGroup {
        if let Self::One(own, _) = self
            && *own != values
            && let Self::One(own, group) = std::mem::replace(self, Self::Many(HashMap::new()))
        {
            *self = Self::Many(HashMap::from([(own, group)]));
        }
        match self {
            Self::One(_, group) => group,
            Self::Many(groups) => groups.entry(values).or_insert_with(|| KeyGroup::new(ids)),
        }
    }

    fn all(&self) -> impl Iterator<Item = &KeyGroup> {
        let (one, many) = match self {
            Self::One(_, group) => (Some(group), None),
            Self::Many(groups) => (None, Some(groups.values())),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }
}

impl Borrow<[u8]> for ByValues {
    fn borrow(&self) -> &[u8] {
        self.0.values()
    }
}

impl Hash for ByValues {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.values().hash(state);
    }
}

impl PartialEq for ByValues {
    fn eq(&self, other: &Self) -> bool {
        self.0.values() == other.0.values()
    }
}

impl Eq for ByValues {}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use ouli_matching::key::{ExcludedNames, KeyPart};

    use super::*;

    fn variant(name: &str, value: &str) -> (Arc<Variant>, Fields) {
        let header = |name: &str, value: &str| {
            let name = HeaderName::try_from(name).unwrap();
            [(name, HeaderValue::from_str(value).unwrap())]
        };
        let request: Fields = header(name, value).into_iter().collect();
        let response = header("vary", name).into_iter().collect();
        let rule = KeyPart::Vary {
            except: ExcludedNames::default(),
        };
        (Arc::new(Variant::of(&[rule], &request, &response)), request)
    }

    #[test]
    fn variants_with_too_many_criteria_are_not_found() {
        let (mut groups, mut ids) = (KeyGroups::default(), ListIds::default());
        for number in 0..MAX_CRITERIA + 2 {
            let (variant, live) = variant(&format!("x-{number}"), "1");
            let is_added = groups.add(Some(&variant), (number, &[]), &mut ids);
            assert_eq!(is_added, number < MAX_CRITERIA);
            let found = groups.suitable(&live).into_iter().map(KeyGroup::positions);
            let found: Vec<_> = found.collect();
            assert_eq!(found.contains(&&[number][..]), is_added, "{found:?}");
            assert_eq!(groups.of_variant(Some(&variant)).is_some(), is_added);
        }
        // Others with known criteria are.
        let (first, _) = variant("x-0", "1");
        let (other, live) = variant("x-0", "2");
        let known = groups.by_criteria.first().unwrap();
        assert_eq!(*known.criteria, **first.criteria());
        let shared = Variant::clone(&other).with_shared(&known.criteria);
        assert!(groups.add(Some(&Arc::new(shared)), (900, &[]), &mut ids));
        assert_eq!(groups.suitable(&live)[0].positions(), [900]);
        assert!(groups.add(None, (901, &[]), &mut ids));
        assert_eq!(groups.suitable(&live).len(), 2);
    }
}
