//! The services that run models, where there are some: for vectors, for an order, for a choice of
//! lines.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Reader, Secret, read_secret};
use crate::error::{Error, Result};

/// A batch of vectors takes a second or two, a model that is loaded first takes longer.
const EMBED_TIMEOUT: Duration = Duration::from_secs(30);

/// Fifty passages take a few hundred milliseconds; a recall waits for less than that anyway.
const RERANK_TIMEOUT: Duration = Duration::from_secs(10);

/// Who asks to have a context condensed waits for some thousand tokens to be read.
const CHAT_TIMEOUT: Duration = Duration::from_secs(10);

/// In milliseconds: less than the first no answer takes, more than the last nobody waits.
const TIMEOUT_RANGE_MS: std::ops::RangeInclusive<u64> = 50..=600_000;

/// The largest embedding of today's models has 4,096 numbers.
pub const DIMENSION_MAX: usize = 16_384;

/// The settings of one service. Without an address nothing is sent anywhere.
#[derive(Debug, Clone)]
pub struct ServiceConfig {
    /// How its settings are called.
    pub names: &'static Names,
    /// Where it is: the part before `/embeddings` and the like, or all of it.
    pub url: Option<String>,
    /// What the service calls the model.
    pub model: String,
    /// What proves who asks.
    pub key: Option<Secret>,
    /// The file that holds it.
    pub key_file: Option<PathBuf>,
    /// How long one request may take.
    pub timeout: Duration,
    /// The file with the certificates of those who may vouch for the service, in PEM.
    pub ca_file: Option<PathBuf>,
    /// How many tokens may be sent to it a day, by all processes with this data folder.
    pub daily_tokens: Option<u64>,
    /// The file that keeps count of them.
    pub spent_file: PathBuf,
}

/// How the settings of a service are called, and it itself in words.
#[derive(Debug)]
pub struct Names {
    /// The service in words.
    pub service: &'static str,
    /// Where it is.
    pub url: &'static str,
    /// Its model.
    pub model: &'static str,
    /// What proves who asks.
    pub key: &'static str,
    /// The file that holds that.
    pub key_file: &'static str,
    /// How long a request may take.
    pub timeout: &'static str,
    /// Who may vouch for it.
    pub ca_file: &'static str,
    /// Its budget.
    pub daily_tokens: &'static str,
    /// The file in the data folder that keeps count of what is spent.
    spent_file: &'static str,
    /// A model to name in a complaint.
    example: &'static str,
}

/// The names that begin with this.
macro_rules! names {
    ($prefix:literal, $service:literal, $spent_file:literal, $example:literal) => {
        Names {
            service: $service,
            url: concat!($prefix, "_URL"),
            model: concat!($prefix, "_MODEL"),
            key: concat!($prefix, "_KEY"),
            key_file: concat!($prefix, "_KEY_FILE"),
            timeout: concat!($prefix, "_TIMEOUT"),
            ca_file: concat!($prefix, "_CA_FILE"),
            daily_tokens: concat!($prefix, "_DAILY_TOKENS"),
            spent_file: $spent_file,
            example: $example,
        }
    };
}

static EMBED: Names = names!(
    "SAGE_EMBED",
    "embedding service",
    "embed.spent",
    "BAAI/bge-m3"
);
static RERANK: Names = names!(
    "SAGE_RERANK",
    "reranking service",
    "rerank.spent",
    "BAAI/bge-reranker-v2-m3"
);
static CHAT: Names = names!(
    "SAGE_CHAT",
    "chat service",
    "chat.spent",
    "Qwen/Qwen3-30B-A3B-Instruct-2507"
);

/// The settings of everything that runs models.
#[derive(Debug, Clone)]
pub struct ModelsConfig {
    /// What makes vectors.
    pub embed: ServiceConfig,
    /// How many numbers a vector has, asked of that service where somebody says so.
    pub dimension: Option<usize>,
    /// What puts passages in order.
    pub rerank: ServiceConfig,
    /// What says which lines answer a question.
    pub chat: ServiceConfig,
    provider: Option<&'static Provider>,
}

/// A known service: one word and a key configure all.
#[derive(Debug)]
struct Provider {
    name: &'static str,
    key_variable: &'static str,
    url: &'static str,
    embed: &'static str,
    rerank: &'static str,
    chat: &'static str,
}

/// The model for vectors is the one that finds most in conversations among those that are offered
/// there (LMEB-Dialogue, 2026), with vectors a quarter as long as those of the larger ones; the
/// one for the order is its sibling. The one that converses answers without thinking aloud first,
/// and reads long texts; none was measured at this.
static PROVIDERS: &[Provider] = &[Provider {
    name: "siliconflow",
    key_variable: "SILICONFLOW_API_KEY",
    url: "https://api.siliconflow.cn/v1",
    embed: "BAAI/bge-m3",
    rerank: "BAAI/bge-reranker-v2-m3",
    chat: "Qwen/Qwen3-30B-A3B-Instruct-2507",
}];

impl ModelsConfig {
    pub(super) fn load(reader: &mut Reader<'_>, data_dir: &Path) -> Result<Self> {
        let provider = reader.parsed("SAGE_PROVIDER", parse_provider)?;
        let dimension = reader.parsed("SAGE_EMBED_DIMS", parse_dimension)?;
        let mut service = |names, timeout, model: fn(&Provider) -> &'static str| {
            let its = provider.map(|its| (its, model(its)));
            ServiceConfig::load(reader, names, timeout, its, data_dir)
        };
        Ok(Self {
            embed: service(&EMBED, EMBED_TIMEOUT, |its| its.embed)?,
            rerank: service(&RERANK, RERANK_TIMEOUT, |its| its.rerank)?,
            chat: service(&CHAT, CHAT_TIMEOUT, |its| its.chat)?,
            dimension,
            provider,
        })
    }

    /// The value of one of these settings in words; nothing where nothing is set.
    pub(super) fn value(&self, variable: &str) -> Option<String> {
        match variable {
            "SAGE_PROVIDER" => Some(self.provider.map_or("", |its| its.name).to_owned()),
            "SAGE_EMBED_DIMS" => Some(in_words(self.dimension.map(|dimension| dimension as u64))),
            _ => [&self.embed, &self.rerank, &self.chat]
                .iter()
                .find_map(|service| service.value(variable)),
        }
    }
}

impl ServiceConfig {
    fn load(
        reader: &mut Reader<'_>,
        names: &'static Names,
        timeout_default: Duration,
        provider: Option<(&'static Provider, &'static str)>,
        data_dir: &Path,
    ) -> Result<Self> {
        let url = reader.parsed(names.url, parse_url)?;
        let model = reader.text(names.model)?;
        let key = reader.text(names.key)?.map(Secret::new);
        let key_file = reader.text(names.key_file)?.map(PathBuf::from);
        let timeout = reader.parsed(names.timeout, parse_timeout)?;
        let ca_file = reader.text(names.ca_file)?.map(PathBuf::from);
        let daily_tokens = reader.parsed(names.daily_tokens, parse_tokens)?;
        if key.is_some() && key_file.is_some() {
            let message = format!("{} is set as well; keep one of the two", names.key);
            return Err(Error::invalid(names.key_file, message));
        }
        // The provider's key goes to the provider and nowhere else.
        let its = provider.filter(|_| url.is_none()).map(|(its, _)| its);
        let its_key = its.and_then(|its| reader.get(its.key_variable));
        let has_key = key.is_some() || key_file.is_some();
        if let (Some(its), false, None) = (its, has_key, &its_key) {
            let message = format!("{} needs {} or {}", its.name, its.key_variable, names.key);
            return Err(Error::invalid("SAGE_PROVIDER", message));
        }
        let url = url.or(its.map(|its| its.url.to_owned()));
        let model = model.or(provider.map(|(_, model)| model.to_owned()));
        if url.is_some() && model.is_none() {
            let (url, example) = (names.url, names.example);
            let message = format!("{url} needs the name of a model, for instance {example}");
            return Err(Error::invalid(names.model, message));
        }
        Ok(Self {
            names,
            url,
            model: model.unwrap_or_default(),
            key: key.or(its_key.filter(|_| !has_key).map(Secret::new)),
            key_file,
            timeout: timeout.unwrap_or(timeout_default),
            ca_file,
            daily_tokens,
            spent_file: data_dir.join(names.spent_file),
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
        let text = read_secret(self.names.key_file, path)?;
        Ok(Some(Secret::new(text.trim().to_owned())))
    }

    fn value(&self, variable: &str) -> Option<String> {
        let path = |path: &Option<PathBuf>| {
            let path = path.as_deref().unwrap_or(Path::new(""));
            path.display().to_string()
        };
        let names = self.names;
        Some(match variable {
            _ if variable == names.url => self.url.clone().unwrap_or_default(),
            _ if variable == names.model => self.model.clone(),
            _ if variable == names.key => self.key.as_ref().map_or("", Secret::reveal).to_owned(),
            _ if variable == names.key_file => path(&self.key_file),
            _ if variable == names.timeout => self.timeout.as_millis().to_string(),
            _ if variable == names.ca_file => path(&self.ca_file),
            _ if variable == names.daily_tokens => in_words(self.daily_tokens),
            _ => return None,
        })
    }
}

fn in_words(number: Option<u64>) -> String {
    number.map_or(String::new(), |number| number.to_string())
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
