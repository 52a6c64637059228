//! What a model leaves of the passages that were found, so that more of them fit a budget.

use std::ops::Range;
use std::time::Duration;

use super::{Hit, Recall};
use crate::models::Chooser;
use crate::text::estimate_tokens;

/// What a model is shown of what was found, in estimated tokens: forty passages, which any model of
/// today reads.
const SHOWN_TOKENS_MAX: usize = 8_000;

/// A line is a sentence from so many bytes on: shorter ones say little alone.
const LINE_BYTES_MIN: usize = 40;

/// A model that names lines, and how long it may take.
pub struct Condenser {
    /// Who names lines.
    pub model: Chooser,
    /// What comes later is left out.
    pub patience: Duration,
}

/// Leaves of each hit the lines that a model says the question needs, in its extract; hits without
/// any go behind the others, whole. Without an answer nothing changes, and the recall says why.
pub(super) async fn condense(found: &mut Recall, question: &str, with: &Condenser) {
    let mut lines: Vec<(usize, Range<usize>)> = Vec::new();
    let mut shown = Vec::new();
    let mut tokens = 0;
    for (at, hit) in found.hits.iter().enumerate() {
        let passage = passage(hit);
        tokens += estimate_tokens(passage);
        if tokens > SHOWN_TOKENS_MAX {
            break;
        }
        for range in lines_of(passage) {
            shown.extend(passage.get(range.clone()).map(str::to_owned));
            lines.push((at, range));
        }
    }
    if lines.is_empty() {
        return;
    }
    let chosen = match with.model.choose(question, &shown, with.patience).await {
        Ok(chosen) => chosen,
        Err(failure) => {
            let why = failure.message().to_owned();
            found.degraded.get_or_insert(why);
            return;
        }
    };
    let mut kept: Vec<Option<Kept>> = found.hits.iter().map(|_| None).collect();
    for (at, range) in chosen.iter().filter_map(|line| lines.get(*line)) {
        let Some(hit) = found.hits.get(*at) else {
            continue;
        };
        if let Some(slot) = kept.get_mut(*at) {
            slot.get_or_insert_default().add(passage(hit), range);
        }
    }
    let (mut needed, mut others) = (Vec::new(), Vec::new());
    for (mut hit, kept) in found.hits.drain(..).zip(kept) {
        match kept {
            Some(kept) => {
                hit.extract = kept.text;
                needed.push(hit);
            }
            None => others.push(hit),
        }
    }
    needed.append(&mut others);
    found.hits = needed;
}

/// What is left of a passage.
#[derive(Default)]
struct Kept {
    text: String,
    end: usize,
}

impl Kept {
    /// Adds a line behind those before it; an ellipsis stands for what is left out between them.
    fn add(&mut self, passage: &str, range: &Range<usize>) {
        let between = passage.get(self.end..range.start).unwrap_or_default();
        self.text.push_str(match between.trim().is_empty() {
            true if self.text.is_empty() => "",
            true => between,
            false => " … ",
        });
        self.text
            .push_str(passage.get(range.clone()).unwrap_or_default());
        self.end = range.end;
    }
}

fn passage(hit: &Hit) -> &str {
    let text = &hit.memory.content.text;
    text.get(hit.passage.clone()).unwrap_or(text)
}

/// The sentences of a passage and the lines without one, without the white space around them.
fn lines_of(passage: &str) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let (mut start, mut before) = (0, ' ');
    let mut push = |start: usize, end: usize| {
        let Some(part) = passage.get(start..end) else {
            return;
        };
        let begin = start + (part.len() - part.trim_start().len());
        let range = begin..begin + part.trim().len();
        if !range.is_empty() {
            lines.push(range);
        }
    };
    for (at, c) in passage.char_indices() {
        let end = at + c.len_utf8();
        let is_end = match c {
            '\n' => true,
            '。' | '！' | '？' | '；' => end - start >= LINE_BYTES_MIN,
            _ if c.is_whitespace() => {
                matches!(before, '.' | '!' | '?') && end - start >= LINE_BYTES_MIN
            }
            _ => false,
        };
        if is_end {
            push(start, end);
            start = end;
        }
        before = c;
    }
    push(start, passage.len());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_sentences_and_cover_the_passage() {
        let passage = "Short. We decided to keep the old payment provider until May. \
                       Then Bo takes over!\n- a list\n\n我们决定在五月之前保留旧的支付服务商。然后由小王接手。";
        let lines = lines_of(passage);
        let texts: Vec<&str> = lines
            .iter()
            .map(|line| passage.get(line.clone()).unwrap())
            .collect();
        assert_eq!(
            texts,
            [
                "Short. We decided to keep the old payment provider until May.",
                "Then Bo takes over!",
                "- a list",
                "我们决定在五月之前保留旧的支付服务商。",
                "然后由小王接手。",
            ]
        );
        assert!(lines_of(" \n\n").is_empty());
    }

    #[test]
    fn what_is_left_out_is_shown() {
        let passage = "one\ntwo\nthree\nfour";
        let lines = lines_of(passage);
        let mut kept = Kept::default();
        for place in [1, 2] {
            kept.add(passage, &lines[place]);
        }
        assert_eq!(kept.text, " … two\nthree");
        let mut kept = Kept::default();
        for place in [0, 3] {
            kept.add(passage, &lines[place]);
        }
        assert_eq!(kept.text, "one … four");
    }
}
