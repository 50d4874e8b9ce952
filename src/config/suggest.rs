//! Finds the key that was probably meant. Pure, imports nothing.

/// The nearest of `allowed` when it is near enough to be a slip of the finger.
pub(super) fn nearest<'a>(given: &str, allowed: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    allowed
        .into_iter()
        .map(|candidate| (distance(given, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= slips_allowed(candidate))
        .min()
        .map(|(_, candidate)| candidate)
}

fn slips_allowed(candidate: &str) -> usize {
    match candidate.len() {
        0..=3 => 1,
        4..=8 => 2,
        _ => 3,
    }
}

/// Levenshtein's distance in characters, row by row.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, given) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, wanted) in to.iter().enumerate() {
            let substituted = diagonal + usize::from(given != *wanted);
            diagonal = row[column + 1];
            row[column + 1] = substituted.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}
