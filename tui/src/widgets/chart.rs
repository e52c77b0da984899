//! A one-row chart of values: a block a value, newest at the right. Its numbers (unit, now, most) stand beside it, by the caller.

/// The eight heights of a bar.
const BARS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// As many of the newest values (last in `values`) as fit, scaled to the largest among those shown; a value of nothing is the lowest bar.
pub(crate) fn bars(values: &[u64], width: usize) -> String {
    let shown = &values[values.len().saturating_sub(width)..];
    let most = shown.iter().copied().max().unwrap_or(0);
    shown
        .iter()
        .map(|v| {
            if most == 0 {
                return BARS[0];
            }
            let step = u128::from(*v) * 7 / u128::from(most);
            BARS[usize::try_from(step).unwrap_or(7).min(7)]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaled_to_what_is_shown_and_never_wider_than_asked() {
        assert_eq!(bars(&[0, 7], 10), "▁█");
        assert_eq!(bars(&[1000, 0, 7], 2), "▁█");
        assert_eq!(bars(&[0, 0], 5), "▁▁");
        assert_eq!(bars(&[u64::MAX, 0], 5), "█▁");
        assert_eq!(bars(&[], 5), "");
    }
}
