//! Tokens recognised by the prefix their provider publishes and by the shape of what follows.

use super::Finding;
use super::bytes::{at, before, is_word, slice, starts_with, while_};
use super::entropy::{distinct, is_random};

/// Shorter words carry no token, unless the token goes on behind them: `SG.`, `FlyV1 fm2_`.
const WORD_BYTES_MIN: usize = 12;

/// A token can begin after a `-` or `_` within a word; so many of these places are tried per word,
/// which keeps the work linear in a word of any length.
const INNER_STARTS_MAX: usize = 8;

/// Fewer different bytes than this in a body mean a placeholder such as `xxxxxxxx`.
const DISTINCT_BYTES_MIN: usize = 6;

/// No upper limit on the length of a body.
const OPEN: usize = usize::MAX;

/// The bytes that a token's body is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    Hex,
    /// Upper case letters and digits.
    Upper,
    Alnum,
    /// Letters, digits, `_` and `-`: the URL-safe base64 alphabet.
    Url,
    /// The URL-safe alphabet and dots between parts.
    Dotted,
    /// Both base64 alphabets with padding.
    Base64,
}

/// One published token shape: prefix, then `min..=max` bytes of the body.
struct Rule {
    prefix: &'static str,
    kind: &'static str,
    body: Body,
    min: usize,
    max: usize,
    /// The prefix is too common a word to trust: the body must look random too.
    needs_random: bool,
}

const fn rule(
    prefix: &'static str,
    kind: &'static str,
    body: Body,
    min: usize,
    max: usize,
) -> Rule {
    Rule {
        prefix,
        kind,
        body,
        min,
        max,
        needs_random: false,
    }
}

const fn wary(
    prefix: &'static str,
    kind: &'static str,
    body: Body,
    min: usize,
    max: usize,
) -> Rule {
    Rule {
        prefix,
        kind,
        body,
        min,
        max,
        needs_random: true,
    }
}

/// The shapes, from the providers' own documentation and their secret-scanning pages. Lengths leave
/// room where a provider has changed them before. The longer of two prefixes stands first.
const RULES: &[Rule] = &[
    rule("AKIA", "aws-access-key", Body::Upper, 16, 16),
    rule("ASIA", "aws-access-key", Body::Upper, 16, 16),
    rule("ABIA", "aws-access-key", Body::Upper, 16, 16),
    rule("ACCA", "aws-access-key", Body::Upper, 16, 16),
    rule("ghp_", "github-token", Body::Alnum, 36, 255),
    rule("gho_", "github-token", Body::Alnum, 36, 255),
    rule("ghu_", "github-token", Body::Alnum, 36, 255),
    rule("ghs_", "github-token", Body::Dotted, 36, OPEN),
    rule("ghr_", "github-token", Body::Alnum, 36, 255),
    rule("github_pat_", "github-token", Body::Url, 30, 255),
    rule("glpat-", "gitlab-token", Body::Dotted, 20, 300),
    rule("gldt-", "gitlab-token", Body::Dotted, 20, 300),
    rule("glrt-", "gitlab-token", Body::Dotted, 20, 300),
    rule("glrtr-", "gitlab-token", Body::Dotted, 20, 300),
    rule("glcbt-", "gitlab-token", Body::Dotted, 20, 300),
    rule("glptt-", "gitlab-token", Body::Dotted, 20, 300),
    rule("glft-", "gitlab-token", Body::Dotted, 20, 300),
    rule("glsoat-", "gitlab-token", Body::Dotted, 20, 300),
    rule("glimt-", "gitlab-token", Body::Dotted, 20, 300),
    rule("glagent-", "gitlab-token", Body::Dotted, 20, 300),
    rule("gloas-", "gitlab-token", Body::Dotted, 20, 300),
    rule("glffct-", "gitlab-token", Body::Dotted, 20, 300),
    wary("sk-ant-", "anthropic-key", Body::Url, 20, OPEN),
    wary("sk-proj-", "openai-key", Body::Url, 20, OPEN),
    wary("sk-svcacct-", "openai-key", Body::Url, 20, OPEN),
    wary("sk-admin-", "openai-key", Body::Url, 20, OPEN),
    wary("sk-or-", "openrouter-key", Body::Url, 20, OPEN),
    wary("sk-lf-", "langfuse-key", Body::Url, 30, 60),
    wary("sk-", "openai-key", Body::Alnum, 20, OPEN),
    wary("xoxb-", "slack-token", Body::Url, 16, OPEN),
    wary("xoxp-", "slack-token", Body::Url, 16, OPEN),
    wary("xoxa-", "slack-token", Body::Url, 16, OPEN),
    wary("xoxr-", "slack-token", Body::Url, 16, OPEN),
    wary("xoxs-", "slack-token", Body::Url, 16, OPEN),
    wary("xoxc-", "slack-token", Body::Url, 16, OPEN),
    wary("xoxd-", "slack-token", Body::Base64, 16, OPEN),
    wary("xoxe-", "slack-token", Body::Url, 16, OPEN),
    wary("xoxe.xox", "slack-token", Body::Url, 16, OPEN),
    wary("xapp-", "slack-token", Body::Url, 16, OPEN),
    rule("AIza", "google-api-key", Body::Url, 35, 35),
    wary("ya29.", "google-token", Body::Dotted, 20, OPEN),
    wary("GOCSPX-", "google-client-secret", Body::Url, 20, 40),
    wary("sk_live_", "stripe-key", Body::Alnum, 16, OPEN),
    wary("sk_test_", "stripe-key", Body::Alnum, 16, OPEN),
    wary("rk_live_", "stripe-key", Body::Alnum, 16, OPEN),
    wary("rk_test_", "stripe-key", Body::Alnum, 16, OPEN),
    wary("whsec_", "webhook-secret", Body::Base64, 16, OPEN),
    rule("SK", "twilio-key", Body::Hex, 32, 32),
    wary("SG.", "sendgrid-key", Body::Dotted, 50, 90),
    rule("key-", "mailgun-key", Body::Hex, 32, 32),
    rule("npm_", "npm-token", Body::Alnum, 36, 36),
    wary("pypi-AgE", "pypi-token", Body::Url, 50, OPEN),
    wary("cio", "crates-token", Body::Alnum, 32, 32),
    rule("rubygems_", "rubygems-token", Body::Hex, 48, 48),
    rule("hf_", "huggingface-token", Body::Alnum, 30, 40),
    rule("r8_", "replicate-token", Body::Alnum, 37, 37),
    rule("gsk_", "groq-key", Body::Alnum, 40, 64),
    wary("xai-", "xai-key", Body::Alnum, 60, 100),
    wary("pplx-", "perplexity-key", Body::Alnum, 40, 64),
    wary("nvapi-", "nvidia-key", Body::Url, 50, 90),
    wary("tvly-", "tavily-key", Body::Url, 20, 60),
    wary("lsv2_pt_", "langsmith-key", Body::Url, 40, 50),
    wary("lsv2_sk_", "langsmith-key", Body::Url, 40, 50),
    rule("dop_v1_", "digitalocean-token", Body::Hex, 64, 64),
    rule("doo_v1_", "digitalocean-token", Body::Hex, 64, 64),
    rule("dor_v1_", "digitalocean-token", Body::Hex, 64, 64),
    wary("dp.pt.", "doppler-token", Body::Dotted, 40, 80),
    wary("dp.st.", "doppler-token", Body::Dotted, 40, 80),
    wary("dp.ct.", "doppler-token", Body::Dotted, 40, 80),
    wary("dp.sa.", "doppler-token", Body::Dotted, 40, 80),
    wary("dp.scim.", "doppler-token", Body::Dotted, 40, 80),
    wary("dp.audit.", "doppler-token", Body::Dotted, 40, 80),
    wary("hvs.", "vault-token", Body::Url, 20, OPEN),
    wary("hvb.", "vault-token", Body::Url, 20, OPEN),
    wary("hvr.", "vault-token", Body::Url, 20, OPEN),
    rule("dapi", "databricks-token", Body::Hex, 32, 32),
    rule("shpat_", "shopify-token", Body::Hex, 32, 32),
    rule("shpss_", "shopify-token", Body::Hex, 32, 32),
    rule("shpca_", "shopify-token", Body::Hex, 32, 32),
    rule("shppa_", "shopify-token", Body::Hex, 32, 32),
    wary("EAAA", "square-token", Body::Url, 56, 64),
    wary("sq0atp-", "square-token", Body::Url, 22, 22),
    wary("sq0csp-", "square-token", Body::Url, 43, 43),
    rule("lin_api_", "linear-key", Body::Alnum, 40, 48),
    rule("lin_oauth_", "linear-key", Body::Alnum, 40, 80),
    rule("secret_", "notion-token", Body::Alnum, 43, 43),
    rule("ntn_", "notion-token", Body::Alnum, 40, 50),
    wary("figd_", "figma-token", Body::Url, 36, 48),
    wary("PMAK-", "postman-key", Body::Url, 50, 64),
    wary("sntrys_", "sentry-token", Body::Base64, 40, OPEN),
    rule("sntryu_", "sentry-token", Body::Hex, 64, 64),
    rule("NRAK-", "new-relic-key", Body::Upper, 27, 27),
    wary("glc_", "grafana-token", Body::Base64, 30, OPEN),
    wary("glsa_", "grafana-token", Body::Url, 41, 41),
    wary("dckr_pat_", "docker-token", Body::Url, 24, 40),
    wary("dckr_oat_", "docker-token", Body::Url, 24, 40),
    rule("sbp_", "supabase-token", Body::Hex, 40, 40),
    wary("sb_secret_", "supabase-token", Body::Url, 20, 60),
    wary("pscale_tkn_", "planetscale-token", Body::Dotted, 32, 64),
    wary("pscale_pw_", "planetscale-token", Body::Dotted, 32, 64),
    wary("pscale_oauth_", "planetscale-token", Body::Dotted, 32, 64),
    wary("FlyV1 fm", "fly-token", Body::Base64, 30, OPEN),
    wary("fm2_", "fly-token", Body::Base64, 60, OPEN),
    rule("AGE-SECRET-KEY-1", "age-key", Body::Upper, 50, 70),
    wary("ATATT3x", "atlassian-token", Body::Base64, 60, OPEN),
    wary("nfp_", "netlify-token", Body::Alnum, 36, 44),
    wary("xkeysib-", "brevo-key", Body::Url, 70, 90),
];

/// The token that begins in the word `start..end`, at its start or behind an inner border.
pub fn find(text: &[u8], start: usize, end: usize) -> Option<Finding> {
    let goes_on = match at(text, end) {
        b'.' => true,
        b' ' => before(text, end) == b'1' && slice(text, start, end).ends_with(b"FlyV1"),
        _ => false,
    };
    if end - start < WORD_BYTES_MIN && !goes_on {
        return None;
    }
    let entry = entry(text, start);
    let word = slice(text, entry, end);
    let borders = word.iter().enumerate();
    let inner = borders
        .filter(|(_, byte)| matches!(byte, b'_' | b'-'))
        .map(|(offset, _)| entry + offset + 1)
        .take(INNER_STARTS_MAX);
    let escaped = (entry != start).then_some(entry);
    std::iter::once(start)
        .chain(escaped)
        .chain(inner)
        .find_map(|position| token_at(text, position))
}

/// Where a word begins once the tail of an escape in front of it is taken off: `\n` and `\u003d` of
/// JSON strings, `%3D` of URLs, and the colour codes of terminals.
pub fn entry(text: &[u8], start: usize) -> usize {
    match before(text, start) {
        b'\\' if at(text, start) == b'u' => (start + 5).min(text.len()),
        b'\\' if matches!(at(text, start), b'n' | b't' | b'r' | b'b' | b'f') => start + 1,
        b'%' => (start + 2).min(text.len()),
        b'[' | b';' => {
            let digits = while_(text, start, |byte| byte.is_ascii_digit());
            let is_colour = digits > start && digits <= start + 3 && at(text, digits) == b'm';
            if is_colour { digits + 1 } else { start }
        }
        _ => start,
    }
}

/// For each ASCII byte that begins a prefix, one bit for each byte that comes second: most
/// positions fail this first look.
const SECOND_BYTES: [u128; 128] = second_bytes(RULES);

const fn second_bytes(mut rules: &[Rule]) -> [u128; 128] {
    let mut table = [0; 128];
    while let [rule, others @ ..] = rules {
        if let [first, second, ..] = rule.prefix.as_bytes()
            && let Some((_, [bits, ..])) = table.split_at_mut_checked(*first as usize)
        {
            *bits |= 1 << (*second & 0x7F);
        }
        rules = others;
    }
    table
}

/// The token that begins exactly at a position.
pub fn token_at(text: &[u8], position: usize) -> Option<Finding> {
    let second = at(text, position + 1) & 0x7F;
    let bits = SECOND_BYTES.get(usize::from(at(text, position)))?;
    if bits & (1u128 << second) == 0 {
        return None;
    }
    RULES
        .iter()
        .filter(|rule| starts_with(text, position, rule.prefix.as_bytes()))
        .find_map(|rule| {
            let body = position + rule.prefix.len();
            let end = rule.body_end(text, body)?;
            Some(Finding {
                start: position,
                end,
                kind: rule.kind,
            })
        })
}

impl Rule {
    /// Where the body that begins at a position ends, when it has the shape of the rule.
    fn body_end(&self, text: &[u8], body: usize) -> Option<usize> {
        let end = self.body.end(text, body, self.max);
        let content = slice(text, body, end);
        let fits = (self.min..=self.max).contains(&content.len())
            && !at(text, end).is_ascii_alphanumeric()
            && distinct(content) >= DISTINCT_BYTES_MIN
            && (!self.needs_random || is_random(content));
        fits.then_some(end)
    }
}

impl Body {
    /// Where the body ends; one byte further than `max` at most, as that is already too long. A
    /// dot or an equals sign at the very end belongs to the sentence, not to the token.
    fn end(self, text: &[u8], start: usize, max: usize) -> usize {
        let limit = start.saturating_add(max).saturating_add(1).min(text.len());
        let window = slice(text, 0, limit);
        let end = while_(window, start, |byte| self.has(byte));
        if self == Body::Dotted && before(window, end) == b'.' && end > start {
            end - 1
        } else {
            end
        }
    }

    fn has(self, byte: u8) -> bool {
        match self {
            Body::Hex => byte.is_ascii_hexdigit(),
            Body::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Body::Alnum => byte.is_ascii_alphanumeric(),
            Body::Url => is_word(byte),
            Body::Dotted => is_word(byte) || byte == b'.',
            Body::Base64 => is_word(byte) || matches!(byte, b'+' | b'/' | b'=' | b'%'),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A body of the rule's shortest length that passes as random.
    fn body(rule: &Rule) -> String {
        let alphabet = match rule.body {
            Body::Hex => "3fa90c1e7bd25846",
            Body::Upper => "Q7XK2MZ9RT4WB8VN",
            _ => "k9Xq2Lm7Rz4Tb8Vn",
        };
        alphabet.chars().cycle().take(rule.min).collect()
    }

    #[test]
    fn every_rule_finds_its_own_token_whole() {
        for rule in RULES {
            let token = format!("{}{}", rule.prefix, body(rule));
            let text = format!("see {token}, please");
            let word_end = 4 + while_(token.as_bytes(), 0, is_word);
            let found = find(text.as_bytes(), 4, word_end);
            let range = found.map(|hit| (hit.start, hit.end));
            assert_eq!(range, Some((4, 4 + token.len())), "{token}");
        }
    }

    #[test]
    fn a_placeholder_body_is_no_token() {
        for rule in RULES {
            let token = format!("{}{}", rule.prefix, "x".repeat(rule.min));
            assert_eq!(token_at(token.as_bytes(), 0), None, "{token}");
        }
    }

    #[test]
    fn a_body_of_the_wrong_length_is_no_token() {
        let long = format!("AKIA{}", "Q7XK2MZ9RT4WB8VNA");
        assert_eq!(token_at(long.as_bytes(), 0), None);
        assert_eq!(token_at(b"AKIAQ7XK2MZ9RT4WB8V", 0), None);
    }
}
