//! Made-up text whose words are as unevenly frequent as in prose (Zipf's law).

/// How many different words there are; a long-lived project has about as many.
const VOCABULARY: usize = 30_000;

/// A source of text that gives the same text for the same seed.
pub struct Words {
    state: u64,
    /// The sum of the frequencies up to each word, ascending.
    cumulative: Vec<f64>,
}

impl Words {
    /// A source that begins anew.
    pub fn new(seed: u64) -> Self {
        let mut sum = 0.0;
        let cumulative = (0..VOCABULARY)
            .map(|rank| {
                sum += 1.0 / (rank as f64 + 3.0);
                sum
            })
            .collect();
        Self {
            state: seed,
            cumulative,
        }
    }

    /// `from` to `to` words, with a full stop after every twelfth.
    pub fn text(&mut self, from: usize, to: usize) -> String {
        let count = from + (self.random() as usize) % (to - from + 1);
        let mut text = String::new();
        for index in 1..=count {
            text.push_str(&self.word());
            text.push_str(if index % 12 == 0 { ". " } else { " " });
        }
        text
    }

    fn word(&mut self) -> String {
        let sum = self.cumulative.last().copied().unwrap_or(1.0);
        let at = self.random() as f64 / (1_u64 << 32) as f64 * sum;
        let rank = self.cumulative.partition_point(|up_to| *up_to < at);
        spelled(rank)
    }

    /// Any of the commonest words.
    #[allow(dead_code, reason = "not every program asks for them")]
    pub fn common(&mut self, of: usize) -> String {
        spelled(self.random() as usize % of)
    }

    /// 32 random bits: SplitMix64 by Sebastiano Vigna, its upper half.
    pub fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) >> 32
    }
}

/// The word of a rank: the commonest has rank 0.
fn spelled(mut rank: usize) -> String {
    let mut word = String::new();
    for _ in 0..4 {
        word.extend(b"bdfgklmnprstvz".get(rank % 14).copied().map(char::from));
        rank /= 14;
        word.extend(b"aeiou".get(rank % 5).copied().map(char::from));
        rank /= 5;
        if rank == 0 {
            break;
        }
    }
    word
}
