//! Figures that are compared with something measured in the same run: absolute numbers of a machine say little. And how
//! tables are printed.

/// What a ratio must be.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
}

/// One figure, what it is compared with, and what the ratio must be.
pub(crate) struct Figure {
    pub(crate) what: &'static str,
    pub(crate) measured: f64,
    pub(crate) unit: &'static str,
    pub(crate) against: &'static str,
    pub(crate) reference: f64,
    pub(crate) target: Target,
}

impl Figure {
    /// A figure that has a limit of its own instead of something to be compared with.
    pub(crate) const fn below(
        what: &'static str,
        measured: f64,
        unit: &'static str,
        limit: f64,
    ) -> Self {
        Self {
            what,
            measured,
            unit,
            against: unit,
            reference: limit,
            target: Target::AtMost(1.0),
        }
    }

    fn ratio(&self) -> f64 {
        self.measured / self.reference
    }

    fn holds(&self) -> bool {
        match self.target {
            Target::AtLeast(least) => self.ratio() >= least,
            Target::AtMost(most) => self.ratio() <= most,
        }
    }

    fn cells(&self) -> [String; 6] {
        [
            self.what.to_owned(),
            format!("{} {}", number(self.measured), self.unit),
            format!("{} {}", number(self.reference), self.against),
            format!("{:.2}", self.ratio()),
            match self.target {
                Target::AtLeast(least) => format!("≥ {least}"),
                Target::AtMost(most) => format!("≤ {most}"),
            },
            if self.holds() { "yes" } else { "NO" }.to_owned(),
        ]
    }
}

fn number(value: f64) -> String {
    if value < 100.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.0}")
    }
}

pub(crate) fn print(figures: &[Figure]) {
    let head = ["figure", "measured", "against", "ratio", "target", "held"].map(str::to_owned);
    let rows = figures.iter().map(Figure::cells);
    table(&std::iter::once(head).chain(rows).collect::<Vec<_>>());
}

/// Prints rows with each column as wide as its widest cell.
pub(crate) fn table<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..COLUMNS).map(width).collect();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        println!("{}", cells.join("  ").trim_end());
    }
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
