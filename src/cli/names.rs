//! Names that were perhaps meant.

/// Of `names` those that somebody who typed `typed` perhaps meant, the nearest first, at most three.
pub(crate) fn near<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let typed: Vec<char> = typed.to_lowercase().chars().collect();
    // Every name of a letter is one change away from every other: that is no reason to think of it.
    let far = typed.len() / 3;
    let mut near: Vec<(usize, &str)> = names
        .into_iter()
        .map(|name| (distance(&typed, &name.to_lowercase().chars().collect::<Vec<_>>()), name))
        .filter(|(distance, _)| *distance <= far)
        .collect();
    near.sort();
    near.into_iter().take(3).map(|(_, name)| name).collect()
}

/// How many letters have to be put in, taken out, changed or swapped with their neighbour (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let changed = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = changed.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_comes_first() {
        let names = ["demo-a", "demo-b", "gram", "digits"];
        assert_eq!(near("dmeo-a", names), ["demo-a", "demo-b"]);
        assert_eq!(near("grma", names), ["gram"]);
        assert_eq!(near("Digits", names), ["digits"]);
        assert_eq!(near("A", ["a", "b"]), ["a"]);
        assert!(near("x", ["a", "b"]).is_empty() && near("ab", ["ac"]).is_empty());
        assert!(near("x", names).is_empty());
        assert!(near("", []).is_empty());
    }
}
