//! Which service makes vectors, where there is one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Reader, Secret, read_secret};
use crate::error::{Error, Result};

/// A batch takes a second or two, a model that is loaded first takes longer.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// In milliseconds: less than the first no answer takes, more than the last nobody waits.
const TIMEOUT_RANGE_MS: std::ops::RangeInclusive<u64> = 50..=600_000;

/// The largest embedding of today's models has 4,096 numbers.
pub const DIMENSION_MAX: usize = 16_384;

/// The settings of the service that makes vectors. Without an address nothing is sent anywhere.
#[derive(Debug, Clone)]
pub struct EmbedConfig {
    /// Where it is: the part before `/embeddings`, or all of it.
    pub url: Option<String>,
    /// What the service calls the model.
    pub model: String,
    /// What proves who asks.
    pub key: Option<Secret>,
    /// The file that holds it.
    pub key_file: Option<PathBuf>,
    /// How many numbers a vector has, asked of the service where somebody says so.
    pub dimension: Option<usize>,
    /// How long one request may take.
    pub timeout: Duration,
    /// The file with the certificates of those who may vouch for the service, in PEM.
    pub ca_file: Option<PathBuf>,
    /// How many tokens this process may have embedded a day.
    pub daily_tokens: Option<u64>,
    provider: Option<&'static Provider>,
}

/// A known service: one word and a key configure it.
#[derive(Debug)]
struct Provider {
    name: &'static str,
    key_variable: &'static str,
    url: &'static str,
    model: &'static str,
}

/// The model is the one that finds most in conversations among those that are offered there
/// (LMEB-Dialogue, 2026), with vectors a quarter as long as those of the larger ones.
static PROVIDERS: &[Provider] = &[Provider {
    name: "siliconflow",
    key_variable: "SILICONFLOW_API_KEY",
    url: "https://api.siliconflow.cn/v1",
    model: "BAAI/bge-m3",
}];

impl EmbedConfig {
    pub(super) fn load(reader: &mut Reader<'_>) -> Result<Self> {
        let provider = reader.parsed("SAGE_PROVIDER", parse_provider)?;
        let url = reader.parsed("SAGE_EMBED_URL", parse_url)?;
        let model = reader.text("SAGE_EMBED_MODEL")?;
        let key = reader.text("SAGE_EMBED_KEY")?.map(Secret::new);
        let key_file = reader.text("SAGE_EMBED_KEY_FILE")?.map(PathBuf::from);
        let dimension = reader.parsed("SAGE_EMBED_DIMS", parse_dimension)?;
        let timeout = reader.parsed("SAGE_EMBED_TIMEOUT", parse_timeout)?;
        let ca_file = reader.text("SAGE_EMBED_CA_FILE")?.map(PathBuf::from);
        let daily_tokens = reader.parsed("SAGE_EMBED_DAILY_TOKENS", parse_tokens)?;
        if key.is_some() && key_file.is_some() {
            return Err(Error::invalid(
                "SAGE_EMBED_KEY_FILE",
                "SAGE_EMBED_KEY is set as well; keep one of the two",
            ));
        }
        // The provider's key goes to the provider and nowhere else.
        let its = provider.filter(|_| url.is_none());
        let its_key = its.and_then(|its| reader.get(its.key_variable));
        if let (Some(its), true, None) = (its, key.is_none() && key_file.is_none(), &its_key) {
            let message = format!("{} needs {} or SAGE_EMBED_KEY", its.name, its.key_variable);
            return Err(Error::invalid("SAGE_PROVIDER", message));
        }
        let url = url.or(its.map(|its| its.url.to_owned()));
        let model = model.or(provider.map(|its| its.model.to_owned()));
        if url.is_some() && model.is_none() {
            let message = "SAGE_EMBED_URL needs the name of a model, for instance BAAI/bge-m3";
            return Err(Error::invalid("SAGE_EMBED_MODEL", message));
        }
        let has_key = key.is_some() || key_file.is_some();
        Ok(Self {
            url,
            model: model.unwrap_or_default(),
            key: key.or(its_key.filter(|_| !has_key).map(Secret::new)),
            key_file,
            dimension,
            timeout: timeout.unwrap_or(TIMEOUT_DEFAULT),
            ca_file,
            daily_tokens,
            provider,
        })
    }

    /// What proves who asks, read from its file if it has one.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn read_key(&self) -> Result<Option<Secret>> {
        let Some(path) = &self.key_file else {
            return Ok(self.key.clone());
        };
        let text = read_secret("SAGE_EMBED_KEY_FILE", path)?;
        Ok(Some(Secret::new(text.trim().to_owned())))
    }

    /// The value of one of these settings in words; nothing where nothing is set.
    pub(super) fn value(&self, variable: &str) -> Option<String> {
        let path = |path: &Option<PathBuf>| {
            let path = path.as_deref().unwrap_or(Path::new(""));
            path.display().to_string()
        };
        let number = |number: Option<u64>| number.map_or(String::new(), |n| n.to_string());
        Some(match variable {
            "SAGE_PROVIDER" => self.provider.map_or("", |its| its.name).to_owned(),
            "SAGE_EMBED_URL" => self.url.clone().unwrap_or_default(),
            "SAGE_EMBED_MODEL" => self.model.clone(),
            "SAGE_EMBED_KEY" => self.key.as_ref().map_or("", Secret::reveal).to_owned(),
            "SAGE_EMBED_KEY_FILE" => path(&self.key_file),
            "SAGE_EMBED_DIMS" => number(self.dimension.map(|dimension| dimension as u64)),
            "SAGE_EMBED_TIMEOUT" => self.timeout.as_millis().to_string(),
            "SAGE_EMBED_CA_FILE" => path(&self.ca_file),
            "SAGE_EMBED_DAILY_TOKENS" => number(self.daily_tokens),
            _ => return None,
        })
    }
}

fn parse_provider(variable: &str, word: &str) -> Result<&'static Provider> {
    let known = PROVIDERS.iter().find(|provider| provider.name == word);
    known.ok_or_else(|| Error::invalid(variable, format!("expected siliconflow, got \"{word}\"")))
}

/// An address without anything secret in it, because `sage config` shows it.
fn parse_url(variable: &str, word: &str) -> Result<String> {
    let uri: Option<hyper::Uri> = word.parse().ok();
    let is_right = uri.is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty())
            && uri.authority().is_some_and(|it| !it.as_str().contains('@'))
            && uri.query().is_none()
    });
    match is_right {
        true => Ok(word.trim_end_matches('/').to_owned()),
        false => Err(Error::invalid(
            variable,
            "expected an address like https://api.example.com/v1, without a password or a query",
        )),
    }
}

fn parse_dimension(variable: &str, word: &str) -> Result<usize> {
    let dimension = word.parse().ok();
    dimension
        .filter(|dimension| (1..=DIMENSION_MAX).contains(dimension))
        .ok_or_else(|| {
            let message = format!("expected 1 to {DIMENSION_MAX}, got \"{word}\"");
            Error::invalid(variable, message)
        })
}

fn parse_timeout(variable: &str, word: &str) -> Result<Duration> {
    let ms = word.parse().ok();
    ms.filter(|ms| TIMEOUT_RANGE_MS.contains(ms))
        .map(Duration::from_millis)
        .ok_or_else(|| {
            let (low, high) = TIMEOUT_RANGE_MS.into_inner();
            let message = format!("expected {low} to {high} milliseconds, got \"{word}\"");
            Error::invalid(variable, message)
        })
}

fn parse_tokens(variable: &str, word: &str) -> Result<u64> {
    word.parse().map_err(|_| {
        Error::invalid(
            variable,
            format!("expected a number of tokens, got \"{word}\""),
        )
    })
}
