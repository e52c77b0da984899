//! A table whose columns hold still: widths come from the columns' definition, never from the values. Where it is narrow, columns
//! leave by priority; the one that grows takes what is left.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{Paint, Target};

/// On which side a column's values stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// One column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub(crate) title: &'static str,
    /// Its width; for one that grows, its least width.
    pub(crate) width: u16,
    pub(crate) side: Side,
    /// Columns with lower numbers leave first.
    pub(crate) keep: u8,
    /// How wide it may become when there is room; its width for most.
    pub(crate) most: u16,
}

impl Column {
    pub(crate) const fn left(title: &'static str, width: u16, keep: u8) -> Self {
        Self {
            title,
            width,
            side: Side::Left,
            keep,
            most: width,
        }
    }

    pub(crate) const fn right(title: &'static str, width: u16, keep: u8) -> Self {
        Self {
            title,
            width,
            side: Side::Right,
            keep,
            most: width,
        }
    }

    /// Takes what the others leave, up to `most`.
    pub(crate) const fn up_to(mut self, most: u16) -> Self {
        self.most = most;
        self
    }
}

/// Columns between two columns.
const GAP: u16 = 2;

/// The list's part of the screen's state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows {
    pub(crate) count: usize,
    pub(crate) selected: Option<usize>,
}

/// The first row to show, so that the selected one is in view with neighbours on both sides.
pub(crate) fn first_row(rows: Rows, height: usize) -> usize {
    let Some(selected) = rows.selected else {
        return 0;
    };
    if rows.count <= height {
        return 0;
    }
    selected.saturating_sub(height / 2).min(rows.count - height)
}

/// Which columns stay and how wide they are.
fn layout(columns: &[Column], width: u16) -> Vec<Option<u16>> {
    let mut shown: Vec<bool> = columns.iter().map(|_| true).collect();
    let needed = |shown: &[bool]| -> u16 {
        let sum: u16 = columns
            .iter()
            .zip(shown)
            .filter(|(_, s)| **s)
            .map(|(c, _)| c.width + GAP)
            .sum();
        sum.saturating_sub(GAP)
    };
    while needed(&shown) > width {
        let weakest = (0..columns.len())
            .filter(|i| shown[*i])
            .min_by_key(|i| columns[*i].keep);
        match weakest {
            Some(i) if shown.iter().filter(|s| **s).count() > 1 => shown[i] = false,
            _ => break,
        }
    }
    let mut left = width.saturating_sub(needed(&shown));
    columns
        .iter()
        .zip(&shown)
        .map(|(column, shown)| {
            shown.then(|| {
                let more = (column.most - column.width).min(left);
                left -= more;
                (column.width + more).min(width)
            })
        })
        .collect()
}

/// Draws heading and rows into `area`; `row` gives the cells of a row. Answers the rows of the screen that it took.
pub(crate) fn draw(
    paint: &mut Paint<'_>,
    area: Rect,
    columns: &[Column],
    rows: Rows,
    row: impl Fn(&Paint<'_>, usize) -> Vec<Line<'static>>,
) -> u16 {
    if area.height == 0 || area.width < 4 {
        return 0;
    }
    let margin = if area.width >= 60 { 3 } else { 2 };
    let bar = if area.width >= 60 { 1 } else { 0 };
    let widths = layout(columns, area.width - margin - 1);
    let place = |paint: &mut Paint<'_>, y: u16, cells: &[Line<'static>]| {
        let mut x = area.x + margin;
        for ((column, width), cell) in columns.iter().zip(&widths).zip(cells) {
            let Some(width) = *width else { continue };
            let taken = u16::try_from(cell.width()).unwrap_or(u16::MAX).min(width);
            let start = if column.side == Side::Right {
                x + width - taken
            } else {
                x
            };
            paint.line(start, y, taken, cell);
            x += width + GAP;
        }
    };
    let with_heading = area.height >= 3 || (area.height == 2 && rows.count == 1);
    let mut y = area.y;
    if with_heading {
        let titles: Vec<Line<'static>> = columns
            .iter()
            .map(|c| paint.words().dim(c.title).line())
            .collect();
        place(paint, y, &titles);
        y += 1;
    }
    let height = usize::from(area.bottom() - y);
    let first = first_row(rows, height);
    for index in (first..rows.count).take(height) {
        let cells = row(paint, index);
        place(paint, y, &cells);
        let whole = Rect::new(area.x, y, area.width, 1);
        if rows.selected == Some(index) {
            paint.select(Rect {
                x: area.x + bar,
                width: area.width - bar,
                ..whole
            });
        }
        paint.hits.add(whole, Target::Row(index));
        y += 1;
    }
    y - area.y
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 4] = [
        Column::left("name", 10, 9),
        Column::right("size", 5, 3),
        Column::left("state", 8, 8),
        Column::left("text", 10, 1).up_to(200),
    ];

    #[test]
    fn columns_leave_by_priority_and_the_last_takes_the_rest() {
        assert_eq!(layout(&COLUMNS, 80), [Some(10), Some(5), Some(8), Some(51)]);
        assert_eq!(layout(&COLUMNS, 38), [Some(10), Some(5), Some(8), None]);
        assert_eq!(layout(&COLUMNS, 22), [Some(10), None, Some(8), None]);
        assert_eq!(
            layout(&COLUMNS, 6),
            [Some(6), None, None, None],
            "never nothing"
        );
    }

    #[test]
    fn the_selected_row_is_always_in_view() {
        for count in [1, 5, 100] {
            for selected in 0..count {
                for height in 1..20 {
                    let first = first_row(
                        Rows {
                            count,
                            selected: Some(selected),
                        },
                        height,
                    );
                    assert!((first..first + height).contains(&selected));
                }
            }
        }
    }
}
