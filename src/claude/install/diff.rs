//! What changes between two texts, for a person who is asked to agree.

/// Lines around a change.
const AROUND: usize = 2;

/// Beyond this many cells of the table a stretch is shown as taken out and put in: nobody reads a
/// change of thousands of lines.
const CELLS_MAX: usize = 4_000_000;

/// A line of the comparison: what it begins with, and the line.
type Line<'t> = (char, &'t str);

/// The lines that differ, with `-` and `+` before them, and those around with a blank.
pub(super) fn diff(before: &str, after: &str) -> String {
    let lines = compare(&split(before), &split(after));
    let is_near = |index: usize| {
        let near = index.saturating_sub(AROUND)..(index + AROUND + 1).min(lines.len());
        let near = lines.get(near).unwrap_or_default();
        near.iter().any(|(sign, _)| *sign != ' ')
    };
    let (mut text, mut is_gap) = (String::new(), false);
    for (index, (sign, line)) in lines.iter().enumerate() {
        if is_near(index) {
            text.push_str(&format!("{sign} {line}\n"));
        } else if !is_gap {
            text.push_str("  ...\n");
        }
        is_gap = !is_near(index);
    }
    text
}

fn split(text: &str) -> Vec<&str> {
    text.lines().collect()
}

fn compare<'t>(before: &[&'t str], after: &[&'t str]) -> Vec<Line<'t>> {
    let same = |(a, b): &(&&str, &&str)| a == b;
    let head = before.iter().zip(after).take_while(same).count();
    let (old, new) = (rest(before, head), rest(after, head));
    let tail = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take_while(same)
        .count();
    let middle = |lines: &[&'t str]| -> Vec<&'t str> {
        let end = lines.len() - tail;
        lines.get(..end).unwrap_or_default().to_vec()
    };
    let kept = |line: &&'t str| (' ', *line);
    let mut lines: Vec<Line<'t>> = before.iter().take(head).map(kept).collect();
    lines.extend(middle_lines(&middle(old), &middle(new)));
    lines.extend(rest(old, old.len() - tail).iter().map(kept));
    lines
}

fn rest<'s, 't>(lines: &'s [&'t str], from: usize) -> &'s [&'t str] {
    lines.get(from..).unwrap_or_default()
}

/// The longest common subsequence, by the table of what is left from each pair of places.
fn middle_lines<'t>(old: &[&'t str], new: &[&'t str]) -> Vec<Line<'t>> {
    let width = new.len() + 1;
    if (old.len() + 1) * width > CELLS_MAX {
        let gone = old.iter().map(|line| ('-', *line));
        return gone.chain(new.iter().map(|line| ('+', *line))).collect();
    }
    let mut table = vec![0_u32; (old.len() + 1) * width];
    let at = |table: &[u32], i: usize, j: usize| table.get(i * width + j).copied().unwrap_or(0);
    for (i, a) in old.iter().enumerate().rev() {
        for (j, b) in new.iter().enumerate().rev() {
            let best = match a == b {
                true => at(&table, i + 1, j + 1) + 1,
                false => at(&table, i + 1, j).max(at(&table, i, j + 1)),
            };
            if let Some(cell) = table.get_mut(i * width + j) {
                *cell = best;
            }
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    loop {
        match (old.get(i), new.get(j)) {
            (Some(a), Some(b)) if a == b => {
                lines.push((' ', *a));
                (i, j) = (i + 1, j + 1);
            }
            (Some(a), b) if b.is_none() || at(&table, i + 1, j) >= at(&table, i, j + 1) => {
                lines.push(('-', *a));
                i += 1;
            }
            (_, Some(b)) => {
                lines.push(('+', *b));
                j += 1;
            }
            _ => return lines,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes_is_shown() {
        let before = "a\nb\nc\nd\ne\nf\ng\nh\n";
        let after = "a\nb\nc\nd\nE\nf\ng\nh\ni\n";
        let expected = "  ...\n  c\n  d\n- e\n+ E\n  f\n  g\n  h\n+ i\n";
        assert_eq!(diff(before, after), expected);
        assert_eq!(diff("", "x\n"), "+ x\n");
        assert_eq!(diff("x\n", ""), "- x\n");
    }
}
