//! Marks the words of a query in a line of what it found.

/// Splits `line` into stretches, each with whether the query asks for it.
///
/// A word is asked for when it is a word of the query or shares a beginning of at least
/// [`STEM_CHARS_MIN`] characters with one ("deploys" for "deployed"). Chinese and Japanese have no
/// blanks between words, so there every pair of neighbours of the query counts.
pub(super) fn stretches(line: &str, query: &str) -> Vec<(String, bool)> {
    let wanted = tokens(query);
    let mut stretches: Vec<(String, bool)> = Vec::new();
    let mut push = |text: &str, marked: bool| match stretches.last_mut() {
        Some((last, same)) if *same == marked => last.push_str(text),
        _ => stretches.push((text.to_owned(), marked)),
    };
    for token in tokens(line) {
        if let Token::Ideographs(run) = &token {
            for (c, marked) in mark_pairs(run, &wanted) {
                push(c.encode_utf8(&mut [0; 4]), marked);
            }
            continue;
        }
        let marked = wanted.iter().any(|other| token.answers(other));
        push(token.text(), marked);
    }
    stretches
}

/// Shorter beginnings than this bring unrelated words together.
const STEM_CHARS_MIN: usize = 4;

enum Token {
    Word(String),
    Ideographs(String),
    Other(String),
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Self::Word(text) | Self::Ideographs(text) | Self::Other(text) => text,
        }
    }

    fn answers(&self, wanted: &Self) -> bool {
        let (Self::Word(here), Self::Word(there)) = (self, wanted) else {
            return false;
        };
        let (here, there) = (here.to_lowercase(), there.to_lowercase());
        if here == there {
            return true;
        }
        let common = here
            .chars()
            .zip(there.chars())
            .take_while(|(a, b)| a == b)
            .count();
        let shorter = here.chars().count().min(there.chars().count());
        // An ending of two letters may differ: "decided", "decides".
        common >= STEM_CHARS_MIN && common + 2 >= shorter
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    for c in text.chars() {
        match (tokens.last_mut(), sort_of(c)) {
            (Some(Token::Word(run)), Sort::Letter)
            | (Some(Token::Ideographs(run)), Sort::Ideograph)
            | (Some(Token::Other(run)), Sort::Other) => run.push(c),
            (_, Sort::Letter) => tokens.push(Token::Word(c.into())),
            (_, Sort::Ideograph) => tokens.push(Token::Ideographs(c.into())),
            (_, Sort::Other) => tokens.push(Token::Other(c.into())),
        }
    }
    tokens
}

enum Sort {
    Letter,
    Ideograph,
    Other,
}

fn sort_of(c: char) -> Sort {
    match c {
        '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}' => {
            Sort::Ideograph
        }
        c if c.is_alphanumeric() => Sort::Letter,
        _ => Sort::Other,
    }
}

fn mark_pairs(run: &str, wanted: &[Token]) -> Vec<(char, bool)> {
    let mut marked: Vec<(char, bool)> = run.chars().map(|c| (c, false)).collect();
    let mut asked = std::collections::HashSet::new();
    for token in wanted {
        if let Token::Ideographs(text) = token {
            asked.extend(text.chars().zip(text.chars().skip(1)));
        }
    }
    for at in 1..marked.len() {
        if let Some([(a, here), (b, there)]) = marked.get_mut(at - 1..=at)
            && asked.contains(&(*a, *b))
        {
            (*here, *there) = (true, true);
        }
    }
    marked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(line: &str, query: &str) -> String {
        stretches(line, query)
            .into_iter()
            .map(|(text, marked)| if marked { format!("<{text}>") } else { text })
            .collect()
    }

    #[test]
    fn words_are_marked_whatever_their_case_and_ending() {
        assert_eq!(
            show("We Decided on the deploy script.", "who decides on deploys"),
            "We <Decided> <on> the <deploy> script."
        );
        assert_eq!(show("nothing here", "other words"), "nothing here");
        assert_eq!(
            show("for format", "form"),
            "for format".replace("format", "<format>")
        );
        assert_eq!(show("", "x"), "");
    }

    #[test]
    fn chinese_is_marked_by_pairs() {
        let line = "\u{6211}\u{4eec}\u{7684}\u{6570}\u{636e}\u{5e93}\u{574f}";
        let query = "\u{6570}\u{636e}\u{5e93}\u{8fc1}\u{79fb}";
        assert_eq!(
            show(line, query),
            "\u{6211}\u{4eec}\u{7684}<\u{6570}\u{636e}\u{5e93}>\u{574f}"
        );
    }
}
