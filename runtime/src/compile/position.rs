//! From a place in the metered JavaScript back to one in the TypeScript source.

/// A place of the printed code and the one of the source that it comes from: line, column, line, column, from 0.
pub(super) type Token = (u32, u32, u32, u32);

/// A table of places, sorted, from generated to source.
#[derive(Debug, Clone, Default)]
pub struct PositionMap {
    /// `(generated line, generated column, source line, source column)`, all from 0, columns in UTF-16 units.
    places: Vec<(u32, u32, u32, u32)>,
    /// The same for the code before charges were inserted, lines of the source only.
    plain_places: Vec<(u32, u32, u32)>,
}

impl PositionMap {
    pub(super) fn new(
        plain: &str,
        metered: &str,
        insertions: &[(u32, u32)],
        tokens: impl Iterator<Item = Token>,
    ) -> Self {
        let plain_lines = LineTable::new(plain);
        let metered_lines = LineTable::new(metered);
        let mut places = Vec::new();
        let mut plain_places = Vec::new();
        for (plain_line, plain_column, source_line, source_column) in tokens {
            let offset = plain_lines.offset(plain, plain_line, plain_column);
            let shift = shift_at(insertions, offset);
            let (line, column) = metered_lines.place(metered, offset + shift);
            places.push((line, column, source_line, source_column));
            plain_places.push((plain_line, plain_column, source_line));
        }
        places.sort_unstable();
        Self {
            places,
            plain_places,
        }
    }

    /// The source's line and column, from 1, of a place in the generated code, from 1.
    #[must_use]
    pub fn source(&self, line: u32, column: u32) -> Option<(u32, u32)> {
        let key = (line.checked_sub(1)?, column.saturating_sub(1));
        let after = self
            .places
            .partition_point(|place| (place.0, place.1) <= key);
        let place = self.places[..after]
            .last()
            .filter(|place| place.0 == key.0)
            .or_else(|| self.places.get(after))?;
        Some((place.2 + 1, place.3 + 1))
    }

    pub(super) fn source_line(&self, plain: &str, offset: u32) -> u32 {
        let (line, column) = LineTable::new(plain).place(plain, offset);
        let after = self
            .plain_places
            .partition_point(|place| (place.0, place.1) <= (line, column));
        self.plain_places[..after]
            .last()
            .or_else(|| self.plain_places.get(after))
            .map_or(1, |place| place.2 + 1)
    }
}

/// How far the insertions before and at `offset` move it.
fn shift_at(insertions: &[(u32, u32)], offset: u32) -> u32 {
    let after = insertions.partition_point(|(at, _)| *at <= offset);
    insertions[..after].last().map_or(0, |(_, total)| *total)
}

/// Line and column, from 1, of a byte offset; the column counts UTF-16 units, as engines and editors do.
pub(super) fn line_column(text: &str, offset: usize) -> (u32, u32) {
    let table = LineTable::new(text);
    let (line, column) = table.place(text, u32::try_from(offset).unwrap_or(u32::MAX));
    (line + 1, column + 1)
}

struct LineTable(Vec<u32>);

impl LineTable {
    fn new(text: &str) -> Self {
        let mut starts = vec![0];
        for (at, byte) in text.bytes().enumerate() {
            if byte == b'\n' {
                starts.push(u32::try_from(at + 1).unwrap_or(u32::MAX));
            }
        }
        Self(starts)
    }

    fn offset(&self, text: &str, line: u32, column: u32) -> u32 {
        let Some(start) = self.0.get(line as usize).copied() else {
            return u32::try_from(text.len()).unwrap_or(u32::MAX);
        };
        let mut units = 0;
        for (at, character) in text[start as usize..].char_indices() {
            if units >= column {
                return start + u32::try_from(at).unwrap_or(0);
            }
            units += u32::from(character.len_utf16() == 2) + 1;
        }
        u32::try_from(text.len()).unwrap_or(u32::MAX)
    }

    fn place(&self, text: &str, offset: u32) -> (u32, u32) {
        let offset = (offset as usize).min(text.len());
        let line = self
            .0
            .partition_point(|start| *start as usize <= offset)
            .saturating_sub(1);
        let start = self.0[line] as usize;
        let units: usize = text
            .get(start..offset)
            .unwrap_or_default()
            .chars()
            .map(char::len_utf16)
            .sum();
        (
            u32::try_from(line).unwrap_or(u32::MAX),
            u32::try_from(units).unwrap_or(u32::MAX),
        )
    }
}
