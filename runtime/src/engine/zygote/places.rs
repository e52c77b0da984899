//! Few places for what many ask for: who asks more often gets the place of who was not asked for longest.

use std::collections::HashMap;
use std::hash::Hash;

/// How long it is remembered that something was asked for that has no place, in questions.
const REMEMBERED: u64 = 256;

/// What has a place, by its key.
pub(super) struct Places<K, V> {
    most: usize,
    /// Questions so far.
    now: u64,
    taken: HashMap<K, Taken<V>>,
    /// What has no place, and when it was asked for last.
    asked: HashMap<K, u64>,
}

struct Taken<V> {
    value: V,
    /// When it was asked for last.
    asked: u64,
}

impl<K: Copy + Eq + Hash, V> Places<K, V> {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            now: 0,
            taken: HashMap::new(),
            asked: HashMap::new(),
        }
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.taken.get_mut(key).map(|taken| &mut taken.value)
    }

    /// Notes that something is asked for; whether it is to be given a place. It is where it was asked for before, and one
    /// is free or belongs to what has not been asked for since: many that are asked for in turn leave each other alone.
    pub(super) fn ask(&mut self, key: K) -> bool {
        self.now += 1;
        if let Some(taken) = self.taken.get_mut(&key) {
            taken.asked = self.now;
            return false;
        }
        let before = self.asked.insert(key, self.now);
        self.asked.retain(|_, asked| self.now - *asked < REMEMBERED);
        let (Some(before), Some(longest)) = (before, self.longest()) else {
            return before.is_some();
        };
        self.taken.len() < self.most || before > longest.1
    }

    /// Gives something a place; what had to make room for it, where none was free.
    pub(super) fn put(&mut self, key: K, value: V) -> Option<V> {
        let room = self
            .longest()
            .filter(|_| self.taken.len() >= self.most)
            .and_then(|(longest, _)| self.taken.remove(&longest));
        self.asked.remove(&key);
        let asked = self.now;
        self.taken.insert(key, Taken { value, asked });
        room.map(|taken| taken.value)
    }

    /// What has not been asked for longest, and when it was.
    fn longest(&self) -> Option<(K, u64)> {
        self.taken
            .iter()
            .min_by_key(|(_, taken)| taken.asked)
            .map(|(key, taken)| (*key, taken.asked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks for something as the zygote does; what had to make room.
    fn asked(places: &mut Places<u32, u32>, key: u32) -> Option<u32> {
        if places.ask(key) {
            places.put(key, key)
        } else {
            None
        }
    }

    #[test]
    fn who_was_not_asked_longest_makes_room_for_who_is_asked_twice() {
        let mut places = Places::new(2);
        for key in [1, 1, 2, 2, 1] {
            assert_eq!(asked(&mut places, key), None);
        }
        assert_eq!(asked(&mut places, 3), None, "once is not often");
        assert_eq!(asked(&mut places, 3), Some(2));
        assert!(places.get_mut(&2).is_none());
        assert!(places.get_mut(&1).is_some() && places.get_mut(&3).is_some());
    }

    #[test]
    fn many_in_turn_leave_each_other_alone() {
        let mut places = Places::new(4);
        let moved = (0..100)
            .flat_map(|_| 0..10)
            .filter_map(|key| asked(&mut places, key))
            .count();
        assert_eq!(moved, 0);
        assert_eq!(places.taken.len(), 4);
    }

    #[test]
    fn what_is_asked_for_once_is_forgotten() {
        let mut places = Places::new(1);
        for key in 0..10_000 {
            assert_eq!(asked(&mut places, key), None);
        }
        assert!(places.asked.len() <= usize::try_from(REMEMBERED).unwrap());
        assert!(places.taken.is_empty());
    }
}
