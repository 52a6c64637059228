//! Reads a Dockerfile as BuildKit does, as far as ours needs it; what it does not know is an error.

use std::collections::BTreeMap;

/// A Dockerfile in parts.
#[derive(Debug)]
pub(in crate::ship) struct Dockerfile {
    /// `# name=value` at the very top: `syntax`, `escape`, `check`.
    pub directives: Vec<String>,
    /// The arguments before the first stage.
    pub arguments: Vec<Instruction>,
    pub stages: Vec<Stage>,
}

/// One `FROM` and what follows it.
#[derive(Debug)]
pub(in crate::ship) struct Stage {
    /// As written, with variables.
    pub base: String,
    pub name: Option<String>,
    pub instructions: Vec<Instruction>,
}

#[derive(Debug, Clone)]
pub(in crate::ship) struct Instruction {
    /// Counted from 1.
    pub line: usize,
    /// In capitals.
    pub word: String,
    /// `--name=value` before everything else.
    pub flags: Vec<(String, String)>,
    /// The rest, in one line.
    pub rest: String,
}

/// The instructions and the flags of each; the flags that Engine 20.10 does not know are left out.
const INSTRUCTIONS: &[(&str, &[&str])] = &[
    ("ADD", &["chown", "chmod"]),
    ("ARG", &[]),
    ("CMD", &[]),
    ("COPY", &["from", "chown", "chmod"]),
    ("ENTRYPOINT", &[]),
    ("ENV", &[]),
    ("EXPOSE", &[]),
    ("FROM", &["platform"]),
    (
        "HEALTHCHECK",
        &["interval", "timeout", "start-period", "retries"],
    ),
    ("LABEL", &[]),
    ("ONBUILD", &[]),
    ("RUN", &["mount", "network", "security"]),
    ("SHELL", &[]),
    ("STOPSIGNAL", &[]),
    ("USER", &[]),
    ("VOLUME", &[]),
    ("WORKDIR", &[]),
];

impl Dockerfile {
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut file = Self {
            directives: directives(text),
            arguments: Vec::new(),
            stages: Vec::new(),
        };
        for (line, text) in logical_lines(text)? {
            let instruction = Instruction::parse(line, &text)?;
            match (instruction.word.as_str(), file.stages.last_mut()) {
                ("FROM", _) => file.stages.push(Stage::parse(&instruction)?),
                (_, Some(stage)) => stage.instructions.push(instruction),
                ("ARG", None) => file.arguments.push(instruction),
                (word, None) => return Err(format!("line {line}: {word} before the first FROM")),
            }
        }
        if file.stages.is_empty() {
            return Err("there is no FROM".into());
        }
        Ok(file)
    }

    /// The stage that becomes the image.
    pub fn last(&self) -> &Stage {
        self.stages.last().unwrap()
    }

    pub fn stage(&self, name: &str) -> Option<&Stage> {
        self.stages
            .iter()
            .find(|stage| stage.name.as_deref() == Some(name))
    }

    /// What the arguments before the first stage are worth when nobody sets them.
    pub fn defaults(&self) -> BTreeMap<String, String> {
        self.arguments.iter().flat_map(Instruction::pairs).collect()
    }
}

impl Stage {
    fn parse(from: &Instruction) -> Result<Self, String> {
        let words: Vec<&str> = from.rest.split_whitespace().collect();
        let (base, name) = match words[..] {
            [base] => (base, None),
            [base, "AS", name] => (base, Some(name.to_owned())),
            _ => return Err(format!("line {}: not `FROM base AS name`", from.line)),
        };
        Ok(Self {
            base: base.to_owned(),
            name,
            instructions: Vec::new(),
        })
    }

    pub fn all<'a>(&'a self, word: &'a str) -> impl Iterator<Item = &'a Instruction> {
        self.instructions
            .iter()
            .filter(move |instruction| instruction.word == word)
    }

    /// The one that counts where the last wins.
    pub fn last(&self, word: &str) -> Option<&Instruction> {
        let mut all = self.instructions.iter();
        all.rfind(|instruction| instruction.word == word)
    }

    /// The names and values of all `LABEL`, `ENV` or `ARG`.
    pub fn pairs(&self, word: &str) -> BTreeMap<String, String> {
        self.all(word).flat_map(Instruction::pairs).collect()
    }
}

impl Instruction {
    fn parse(line: usize, text: &str) -> Result<Self, String> {
        let (word, mut rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let word = word.to_ascii_uppercase();
        let (_, known) = INSTRUCTIONS
            .iter()
            .find(|(name, _)| *name == word)
            .ok_or_else(|| format!("line {line}: there is no instruction {word}"))?;
        let mut flags = Vec::new();
        loop {
            rest = rest.trim_start();
            let Some(flag) = rest.strip_prefix("--") else {
                break;
            };
            let end = flag.find(char::is_whitespace).unwrap_or(flag.len());
            let (name, value) = flag[..end].split_once('=').unwrap_or((&flag[..end], ""));
            if !known.contains(&name) || value.is_empty() {
                return Err(format!(
                    "line {line}: Engine 20.10 has no `--{}` for {word}",
                    &flag[..end]
                ));
            }
            flags.push((name.to_owned(), value.to_owned()));
            rest = &flag[end..];
        }
        let heredoc = ["RUN", "COPY", "ADD"].contains(&word.as_str())
            && rest.split_whitespace().any(|word| word.starts_with("<<"));
        if heredoc {
            return Err(format!("line {line}: Engine 20.10 knows no heredoc"));
        }
        Ok(Self {
            line,
            word,
            flags,
            rest: rest.trim_end().to_owned(),
        })
    }

    pub fn flag(&self, name: &str) -> Option<&str> {
        let flag = self.flags.iter().find(|(key, _)| key == name);
        flag.map(|(_, value)| value.as_str())
    }

    /// `["a", "b"]`; none if it is a line for a shell.
    pub fn exec_form(&self) -> Option<Vec<String>> {
        serde_json::from_str(&self.rest).ok()
    }

    /// The paths of a `COPY`: where from, and where to.
    pub fn paths(&self) -> (Vec<String>, String) {
        let mut words = self.exec_form().unwrap_or_else(|| words(&self.rest));
        let target = words.pop().unwrap_or_default();
        (words, target)
    }

    /// `name=value …`; a name alone has an empty value.
    pub fn pairs(&self) -> Vec<(String, String)> {
        let words = words(&self.rest);
        let pair = |word: &String| {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            (name.to_owned(), value.to_owned())
        };
        words.iter().map(pair).collect()
    }

    /// The variables that the builder, or the shell, puts values in for.
    pub fn variables(&self) -> Vec<String> {
        let values = self.flags.iter().map(|(_, value)| value);
        values
            .chain([&self.rest])
            .flat_map(|text| variables(text))
            .collect()
    }
}

/// The directives are the comments that stand before anything else, an empty line included.
fn directives(text: &str) -> Vec<String> {
    text.lines()
        .map_while(|line| line.trim_start().strip_prefix('#'))
        .map_while(|comment| comment.split_once('='))
        .take_while(|(name, _)| ["syntax", "escape", "check"].contains(&name.trim()))
        .map(|(name, _)| name.trim().to_owned())
        .collect()
}

/// The lines with their numbers, continued ones put together, without comments and empty ones.
fn logical_lines(text: &str) -> Result<Vec<(usize, String)>, String> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.starts_with('#') {
            continue;
        }
        if line.is_empty() {
            if let Some((start, _)) = open {
                return Err(format!("line {start} is continued by an empty line"));
            }
            continue;
        }
        let (start, mut whole) = open.take().unwrap_or((number, String::new()));
        match line.strip_suffix('\\') {
            Some(part) => {
                whole.push_str(part);
                open = Some((start, whole));
            }
            None => lines.push((start, whole + line)),
        }
    }
    match open {
        Some((start, _)) => Err(format!("line {start} is continued by nothing")),
        None => Ok(lines),
    }
}

/// The words of a line, quotes taken off.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![];
    let (mut word, mut quoted) = (None::<String>, false);
    for character in text.chars() {
        match character {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            space if space.is_whitespace() && !quoted => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

/// The names in `$NAME`, `${NAME}` and `${NAME:-…}`.
pub(in crate::ship) fn variables(text: &str) -> Vec<String> {
    let name = |part: &str| {
        let part = part.strip_prefix('{').unwrap_or(part);
        let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        part[..end.unwrap_or(part.len())].to_owned()
    };
    let names = text.split('$').skip(1).map(name);
    names.filter(|name| !name.is_empty()).collect()
}

/// Puts values in for `${NAME}`; a name without one stays.
pub(in crate::ship) fn expand(text: &str, values: &BTreeMap<String, String>) -> String {
    let put = |text: String, (name, value): (&String, &String)| {
        text.replace(&format!("${{{name}}}"), value)
    };
    values.iter().fold(text.to_owned(), put)
}
