//! A list and, beside or below it, the selected row in full: what most screens are.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::Paint;
use super::details::{self, Zoom};
use super::grid::{self, Column, Rows};

/// How the rows of a list are drawn: `row` gives the cells of one, `detail` draws the selected one where there is room for it.
/// Both are handed what the whole screen is drawn from.
pub(crate) struct List<M, T> {
    columns: &'static [Column],
    /// Rows that the details want where they stand below the list.
    wanted: u16,
    row: fn(&M, &Paint<'_>, &T) -> Vec<Line<'static>>,
    detail: fn(&M, Rect, &mut Paint<'_>, &T),
}

impl<M, T> List<M, T> {
    pub(crate) fn new(
        columns: &'static [Column],
        wanted: u16,
        row: fn(&M, &Paint<'_>, &T) -> Vec<Line<'static>>,
        detail: fn(&M, Rect, &mut Paint<'_>, &T),
    ) -> Self {
        Self {
            columns,
            wanted,
            row,
            detail,
        }
    }

    /// Draws `rows`, one of them selected.
    pub(crate) fn draw(
        &self,
        model: &M,
        zoom: Zoom,
        (rows, selected): (&[&T], Option<usize>),
        area: Rect,
        paint: &mut Paint<'_>,
    ) {
        let heading_and_rows = u16::try_from(rows.len())
            .unwrap_or(u16::MAX)
            .saturating_add(1);
        let split = details::split(area, heading_and_rows, self.wanted, zoom);
        if let Some(list) = split.list {
            let shown = Rows {
                count: rows.len(),
                selected,
            };
            grid::draw(paint, list, self.columns, shown, |paint, i| {
                (self.row)(model, paint, rows[i])
            });
        }
        let selected = selected.and_then(|i| rows.get(i));
        if let (Some(area), Some(selected)) = (split.details, selected) {
            (self.detail)(model, area, paint, selected);
        }
    }
}
