//! Sorting, with one copy of the algorithm in the executable.
//!
//! The standard library's stands there once for each type and comparison, 4 kB each, which would be
//! 230 kB (November 2026). Numbers alone share one there, and long lists are sorted by it.

use std::cmp::Ordering;

/// Sorts by the values themselves; equal ones stay in their order.
pub(crate) fn sort<T: Ord>(items: &mut [T]) {
    sort_by(items, T::cmp);
}

/// Sorts by what `key` makes of each; equal ones stay in their order.
pub(crate) fn sort_by_key<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    sort_by(items, |a, b| key(a).cmp(&key(b)));
}

/// Sorts by a comparison; equal ones stay in their order.
pub(crate) fn sort_by<T>(items: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    let order = order(items.len(), &|a, b| {
        let both = items.get(a).zip(items.get(b));
        both.map_or(Ordering::Equal, |(a, b)| compare(a, b))
    });
    for (at, mut from) in order.iter().copied().enumerate() {
        // What stood there was moved to where its place was taken from.
        while from < at {
            from = order.get(from).copied().unwrap_or(at);
        }
        items.swap(at, from);
    }
}

/// The places of so many items in their new order.
fn order(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|a, b| compare(*a, *b));
    order
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_sorts_as_the_standard_library_does(items in prop::collection::vec((0_u8..9, 0_u8..9), 0..60)) {
            let (mut sorted, mut wanted) = (items.clone(), items.clone());
            sort(&mut sorted);
            wanted.sort();
            prop_assert_eq!(&sorted, &wanted);
            let (mut sorted, mut wanted) = (items.clone(), items);
            sort_by_key(&mut sorted, |item| item.0);
            wanted.sort_by_key(|item| item.0);
            prop_assert_eq!(sorted, wanted);
        }
    }
}
