//! What the answers share: how a path names a thing, and how a list is paged.

use tana_kit::{ApiResult, PageQuery, Paged};
use tana_store::ledger::Slice;

use crate::ledger::error::LedgerError;

/// Parses a part of the path; a text that can be no such thing names none.
pub(super) fn named<T: std::str::FromStr>(what: &str, text: &str) -> Result<T, LedgerError> {
    text.parse().map_err(|_| {
        let shown: String = text.chars().take(80).collect();
        LedgerError::not_found(format!("{what} {shown:?}"))
    })
}

pub(super) fn slice<C: std::str::FromStr>(page: &PageQuery) -> ApiResult<Slice<C>> {
    Ok(Slice {
        after: page.cursor()?,
        offset: page.offset,
        limit: page.limit,
    })
}

/// A page and where the next one begins: after its last entry, where it is full.
pub(super) fn paged<T, V>(
    page: &PageQuery,
    items: Vec<T>,
    place: impl Fn(&T) -> String,
    view: impl Fn(T) -> V,
) -> Paged<V> {
    let full = items.len() >= page.limit as usize;
    let next = items.last().filter(|_| full).map(place);
    page.answer(items.into_iter().map(view).collect(), next)
}

/// Where a page ended in an order of two columns: `<first>.<second>`.
pub(super) struct Place<A, B>(pub(super) (A, B));

impl<A: std::str::FromStr, B: std::str::FromStr> std::str::FromStr for Place<A, B> {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (first, second) = text.split_once('.').ok_or(())?;
        let first = first.parse().map_err(|_| ())?;
        Ok(Self((first, second.parse().map_err(|_| ())?)))
    }
}
