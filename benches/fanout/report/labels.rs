//! Keeps labels apart: in a column, and in a strip of rows. Numbers in, numbers out.

/// A piece of text on a strip: where it begins and ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    pub from: f64,
    pub to: f64,
}

/// Moves labels as little as it takes for them to be `gap` apart, between `low` and `high`, without
/// changing their order. Where they cannot all fit, the last ones go past `high`.
///
/// Labels that are too near each other form a block, which stands where its members are on average
/// best off; a block that meets the next one takes it in.
pub fn spread(wanted: &[f64], gap: f64, low: f64, high: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|&left, &right| wanted[left].total_cmp(&wanted[right]));
    // (where the first one would stand, summed over the members; how many members)
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    let start = |&(sum, count): &(f64, usize)| {
        let last = high - gap * (count - 1) as f64;
        (sum / count as f64).min(last).max(low)
    };
    for &index in &order {
        let mut block = (wanted[index], 1);
        while let Some(above) = blocks.last() {
            if start(above) + gap * above.1 as f64 <= start(&block) {
                break;
            }
            // Each member of the lower block would have the first one stand that much further up.
            block = (
                above.0 + block.0 - gap * (above.1 * block.1) as f64,
                above.1 + block.1,
            );
            blocks.pop();
        }
        blocks.push(block);
    }
    let mut placed = vec![0.0; wanted.len()];
    let mut members = order.into_iter();
    for block in &blocks {
        for (nth, index) in members.by_ref().take(block.1).enumerate() {
            placed[index] = start(block) + gap * nth as f64;
        }
    }
    placed
}

/// The row of each span, from 0, so that none comes nearer than `gap` to another of its row.
pub fn rows(spans: &[Span], gap: f64) -> Vec<usize> {
    let mut taken: Vec<Vec<Span>> = Vec::new();
    let mut rows = Vec::new();
    for span in spans {
        let is_free = |row: &Vec<Span>| {
            row.iter()
                .all(|other| span.to + gap <= other.from || other.to + gap <= span.from)
        };
        let row = taken.iter().position(is_free).unwrap_or_else(|| {
            taken.push(Vec::new());
            taken.len() - 1
        });
        taken[row].push(*span);
        rows.push(row);
    }
    rows
}

pub fn check() {
    let apart = spread(&[50.0, 10.0], 10.0, 0.0, 100.0);
    assert_eq!(apart, [50.0, 10.0], "what is apart stays");
    let pair = spread(&[50.0, 50.0], 10.0, 0.0, 100.0);
    assert_eq!(pair, [45.0, 55.0], "to both sides alike");
    let chain = spread(&[50.0, 52.0, 66.0, 99.0], 10.0, 0.0, 100.0);
    assert!(
        chain
            .windows(2)
            .all(|pair| pair[1] - pair[0] >= 10.0 - 1e-9)
    );
    assert_eq!(chain[3], 99.0);
    assert_eq!(spread(&[-9.0, 200.0], 10.0, 0.0, 100.0), [0.0, 100.0]);
    let low = spread(&[100.0, 100.0, 100.0], 10.0, 0.0, 100.0);
    assert_eq!(low, [80.0, 90.0, 100.0]);
    let span = |from, to| Span { from, to };
    let spans = [span(0.0, 10.0), span(5.0, 12.0), span(12.0, 20.0)];
    assert_eq!(rows(&spans, 2.0), [0, 1, 0]);
    assert_eq!(rows(&spans, 3.0), [0, 1, 2]);
    let between = [span(0.0, 10.0), span(20.0, 30.0), span(5.0, 8.0)];
    assert_eq!(rows(&between, 2.0), [0, 0, 1], "free of all in its row");
}
