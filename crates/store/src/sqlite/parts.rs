//! Many rows in few statements: each statement costs more than what it does.

/// Rows of one statement. What is left over goes in statements of a half each: few texts are prepared, and found again.
const ROWS: [usize; 7] = [64, 32, 16, 8, 4, 2, 1];

/// Rows in parts of one statement each.
pub(crate) fn parts<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = ROWS.into_iter().find(|size| *size <= rows.len())?;
        let part;
        (part, rows) = rows.split_at(size);
        Some(part)
    })
}
