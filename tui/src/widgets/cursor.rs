//! Which row of a list is selected. It stays on its row while rows come and go above it: features hand in the row's key.

/// A movement in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Move {
    Up,
    Down,
    PageUp,
    PageDown,
    Top,
    Bottom,
    To(usize),
}

/// The index after a movement in a list of `count` rows.
pub(crate) fn moved(at: usize, count: usize, page: usize, by: Move) -> usize {
    let last = count.saturating_sub(1);
    let at = at.min(last);
    match by {
        Move::Up => at.saturating_sub(1),
        Move::Down => (at + 1).min(last),
        Move::PageUp => at.saturating_sub(page.max(1)),
        Move::PageDown => (at + page.max(1)).min(last),
        Move::Top => 0,
        Move::Bottom => last,
        Move::To(row) => row.min(last),
    }
}

/// A list's selected row, by the key of what stands in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor<K> {
    key: Option<K>,
    /// Where it was last: what is selected when the key is gone.
    last: usize,
}

impl<K> Default for Cursor<K> {
    fn default() -> Self {
        Self { key: None, last: 0 }
    }
}

impl<K: PartialEq + Clone> Cursor<K> {
    /// The selected row among `keys`; none in an empty list.
    pub(crate) fn index(&self, keys: &[K]) -> Option<usize> {
        if keys.is_empty() {
            return None;
        }
        let found = self
            .key
            .as_ref()
            .and_then(|key| keys.iter().position(|k| k == key));
        Some(found.unwrap_or(self.last.min(keys.len() - 1)))
    }

    /// The selected row, but `otherwise` until it was moved for the first time.
    pub(crate) fn index_or(&self, keys: &[K], otherwise: usize) -> Option<usize> {
        if self.key.is_none() && otherwise < keys.len() {
            Some(otherwise)
        } else {
            self.index(keys)
        }
    }

    /// The selected one of `rows`, which `key` names.
    pub(crate) fn pick<R>(&self, mut rows: Vec<R>, key: impl Fn(&R) -> K) -> Option<R> {
        let keys: Vec<K> = rows.iter().map(key).collect();
        let at = self.index(&keys)?;
        Some(rows.swap_remove(at))
    }

    /// Moves among `keys`.
    pub(crate) fn go(&mut self, keys: &[K], page: usize, by: Move) {
        if let Some(at) = self.index(keys) {
            self.go_from(at, keys, page, by);
        }
    }

    /// Moves from a row that something else had selected.
    pub(crate) fn go_from(&mut self, at: usize, keys: &[K], page: usize, by: Move) {
        if !keys.is_empty() {
            self.set(keys, moved(at, keys.len(), page, by));
        }
    }

    fn set(&mut self, keys: &[K], index: usize) {
        self.last = index;
        self.key = keys.get(index).cloned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_on_its_row_while_others_come_and_go() {
        let mut cursor = Cursor::default();
        cursor.go(&["a", "b", "c"], 10, Move::Down);
        assert_eq!(cursor.index(&["x", "a", "b", "c"]), Some(2));
        assert_eq!(
            cursor.index(&["x"]),
            Some(0),
            "gone: where it was, or the last"
        );
        assert_eq!(cursor.index(&[]), None);
        cursor.go(&["a", "b", "c"], 10, Move::Bottom);
        assert_eq!(cursor.index(&["a", "b", "c"]), Some(2));
        cursor.go(&["a", "b", "c"], 2, Move::PageUp);
        assert_eq!(cursor.index(&["a", "b", "c"]), Some(0));
    }
}
