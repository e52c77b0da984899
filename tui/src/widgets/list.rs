//! A list and, beside or below it, the selected row in full: what most screens are.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::Paint;
use super::details::{self, Zoom};
use super::grid::{self, Column, Rows};

/// A list of `rows`, one of them selected.
pub(crate) struct List<'a, T> {
    pub(crate) columns: &'a [Column],
    pub(crate) rows: &'a [T],
    pub(crate) selected: Option<usize>,
    /// Rows that the details want where they stand below the list.
    pub(crate) wanted: u16,
    pub(crate) zoom: Zoom,
}

impl<T> List<'_, T> {
    /// Draws it: `row` gives the cells of a row, `detail` draws the selected one where there is room for it.
    pub(crate) fn draw(
        &self,
        paint: &mut Paint<'_>,
        area: Rect,
        row: impl Fn(&Paint<'_>, &T) -> Vec<Line<'static>>,
        detail: impl FnOnce(&mut Paint<'_>, Rect, &T),
    ) {
        let heading_and_rows = u16::try_from(self.rows.len())
            .unwrap_or(u16::MAX)
            .saturating_add(1);
        let split = details::split(area, heading_and_rows, self.wanted, self.zoom);
        if let Some(list) = split.list {
            let rows = Rows {
                count: self.rows.len(),
                selected: self.selected,
            };
            grid::draw(paint, list, self.columns, rows, |paint, i| {
                row(paint, &self.rows[i])
            });
        }
        let selected = self.selected.and_then(|i| self.rows.get(i));
        if let (Some(area), Some(selected)) = (split.details, selected) {
            detail(paint, area, selected);
        }
    }
}
