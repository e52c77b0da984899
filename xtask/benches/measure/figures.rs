//! Figures that are compared with something measured in the same run: absolute numbers of a machine say little.

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
    fn ratio(&self) -> f64 {
        self.measured / self.reference
    }

    fn holds(&self) -> bool {
        match self.target {
            Target::AtLeast(least) => self.ratio() >= least,
            Target::AtMost(most) => self.ratio() <= most,
        }
    }
}

pub(crate) fn print(figures: &[Figure]) {
    let number = |value: f64| {
        if value < 100.0 {
            format!("{value:.2}")
        } else {
            format!("{value:.0}")
        }
    };
    let rows: Vec<[String; 6]> = figures
        .iter()
        .map(|figure| {
            [
                figure.what.to_owned(),
                format!("{} {}", number(figure.measured), figure.unit),
                format!("{} {}", number(figure.reference), figure.against),
                format!("{:.2}", figure.ratio()),
                match figure.target {
                    Target::AtLeast(least) => format!("≥ {least}"),
                    Target::AtMost(most) => format!("≤ {most}"),
                },
                if figure.holds() { "yes" } else { "NO" }.to_owned(),
            ]
        })
        .collect();
    let head = ["figure", "measured", "against", "ratio", "target", "held"].map(str::to_owned);
    let all: Vec<&[String; 6]> = std::iter::once(&head).chain(&rows).collect();
    let widths: Vec<usize> = (0..6)
        .map(|column| {
            all.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    for row in all {
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
