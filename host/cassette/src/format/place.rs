//! The order of the exchanges of a cassette: that in which their requests began.
//!
//! An exchange is appended when it ends. If its request began before that of an exchange that is
//! already there, the text names the exchange that it belongs before.

use std::collections::HashMap;

/// The place of an exchange in a cassette.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The number in the text. It increases in the order in which the exchanges were appended.
    pub number: u64,
    /// The number of the exchange before which its request began, if that was appended earlier.
    pub before: Option<u64>,
}

impl From<u64> for Place {
    fn from(number: u64) -> Self {
        Self {
            number,
            before: None,
        }
    }
}

/// The positions of the exchanges in the order in which their requests began; `None` if they are in
/// that order. `places` are those of the text, in its order. An exchange that belongs before one
/// that is not there stays where it is.
pub fn start_order(places: &[Place]) -> Option<Vec<usize>> {
    if places.iter().all(|place| place.before.is_none()) {
        return None;
    }
    let mut by_number = HashMap::with_capacity(places.len());
    // A list of positions, closed by its end.
    let end = places.len();
    let (mut next, mut previous) = (vec![end; end + 1], vec![end; end + 1]);
    for (position, place) in places.iter().enumerate() {
        let named = place.before.and_then(|number| by_number.get(&number));
        let follower = named.copied().unwrap_or(end);
        let leader = previous[follower];
        (next[leader], next[position]) = (position, follower);
        (previous[follower], previous[position]) = (position, leader);
        by_number.entry(place.number).or_insert(position);
    }
    let followers = std::iter::successors(Some(next[end]), |position| Some(next[*position]));
    let order: Vec<_> = followers.take_while(|position| *position != end).collect();
    (!order.is_sorted()).then_some(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers in the order of their starts.
    fn sorted(places: &[(u64, u64)]) -> Vec<u64> {
        let places: Vec<_> = places
            .iter()
            .map(|(number, before)| Place {
                number: *number,
                before: (*before > 0).then_some(*before),
            })
            .collect();
        let numbers: Vec<_> = places.iter().map(|it| it.number).collect();
        match start_order(&places) {
            Some(order) => order.into_iter().map(|at| numbers[at]).collect(),
            None => numbers,
        }
    }

    #[test]
    fn an_exchange_comes_before_the_one_that_it_names() {
        assert_eq!(sorted(&[(1, 0), (2, 0)]), [1, 2]);
        assert_eq!(sorted(&[(1, 0), (2, 1), (3, 1)]), [2, 3, 1]);
        assert_eq!(sorted(&[(1, 0), (2, 1), (3, 2), (4, 0)]), [3, 2, 1, 4]);
        assert_eq!(sorted(&[(5, 0), (6, 0), (9, 6)]), [5, 9, 6]);
    }

    #[test]
    fn a_place_that_is_not_there_yet_does_not_count() {
        assert_eq!(sorted(&[(1, 7), (2, 2), (3, 4), (4, 0)]), [1, 2, 3, 4]);
        assert!(start_order(&[]).is_none());
    }
}
