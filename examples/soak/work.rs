//! What people do at work, one function each. Whatever is to be kept is written into the book before it
//! is sent, and confirmed when the answer is here.

use serde_json::{Value, json};

use crate::book::{digest, id_and_content};
use crate::client::{Ask, Trouble, Wire, initialize, initialized, legacy_tool, text_of_tool};
use crate::machine::{Machine, Target};
use crate::person::{Person, ask_for, is_found};
use crate::stage::lock;

/// One thing that somebody does, at a server.
pub type Work = fn(&mut Person, &Target) -> Result<(), Trouble>;

/// What people do, how often of a thousand, and how. Hooks join here: `hook` (the process) and
/// `hooks` (over HTTP), with what they capture written into the book like everything else.
pub const WORK: [(&str, u64, Work); 16] = [
    ("save", 160, save),
    ("save (former)", 80, save_as_formerly),
    ("remember", 110, remember),
    ("legacy session", 50, talk),
    ("update", 40, update),
    ("repeat", 40, repeat),
    ("search", 140, search),
    ("context", 130, context),
    ("find", 80, find),
    ("read", 70, read),
    ("list", 20, list),
    ("forget", 8, forget),
    ("probe", 40, probe),
    ("drop", 20, drop_out),
    ("command", 7, command),
    ("stdio", 5, stdio),
];

/// Different keys of one person's notes.
const KEYS: u64 = 40;

/// Legacy sessions, of a hundred, that nobody ends.
const UNENDED_PERCENT: u64 = 10;

pub fn save(person: &mut Person, target: &Target) -> Result<(), Trouble> {
    let (prompt, reply, mut draft) = person.turn();
    let mut body = json!({"prompt": prompt, "reply": reply, "project": person.project,
                          "session": person.session()});
    // Hooks and imports name their events.
    if person.below(2) == 0
        && let Some(object) = body.as_object_mut()
    {
        draft.has_event = true;
        object.insert("event".to_owned(), json!(draft.marker));
    }
    person.send(&draft);
    let ask = Ask::post("/api/memories", &body);
    let answer = person.ask(target, &ask)?.json()?;
    let id = kept(&answer, "stored")?;
    person.keep(draft, &id)?;
    person.last = Some((body, id));
    Ok(())
}

fn save_as_formerly(person: &mut Person, target: &Target) -> Result<(), Trouble> {
    let (prompt, reply, draft) = person.turn();
    let body = json!({"user_prompt": prompt, "assistant_response": reply,
                      "project": person.project, "session_id": person.session()});
    person.send(&draft);
    let ask = Ask::post("/save_conversation", &body);
    let answer = person.ask(target, &ask)?.json()?;
    person.keep(draft, &kept(&answer, "stored")?)
}

/// Half of the notes have a key, and take the place of the one before.
fn remember(person: &mut Person, target: &Target) -> Result<(), Trouble> {
    let (content, marker) = person.text();
    let mut draft = Person::draft(marker, &content);
    let mut arguments = json!({"content": content, "tags": ["soak"]});
    let key = format!("key-{}", person.below(KEYS));
    let has_key = person.below(2) == 0;
    if has_key && let Ok(holder) = lock(&person.book).holder(&key) {
        draft.replaces = holder;
        draft.key = Some(key.clone());
        arguments["key"] = json!(key);
    }
    person.send(&draft);
    let text = person.tool(target, "remember", &arguments)?;
    person.keep(draft, &id_told(&text)?)
}

fn talk(person: &mut Person, target: &Target) -> Result<(), Trouble> {
    let (content, marker) = person.text();
    let draft = Person::draft(marker, &content);
    let start = Ask::legacy_start(&person.project, &person.session());
    let answer = person.ask(target, &start)?.expect(&[200])?;
    let Some(session) = answer.session else {
        return Trouble::wrong("initialize gave no session");
    };
    let hello = Ask::legacy(&initialized(), &session);
    person.ask(target, &hello)?.expect(&[202])?;
    let question = json!({"query": person.words.text(3, 8)});
    let context = legacy_tool(2, "get_context", &question);
    let context = Ask::legacy(&context, &session);
    text_of_tool(&person.ask(target, &context)?.json()?)?;
    person.send(&draft);
    let remember = legacy_tool(3, "remember", &json!({"content": content}));
    let remember = Ask::legacy(&remember, &session);
    let text = text_of_tool(&person.ask(target, &remember)?.json()?)?;
    person.keep(draft, &id_told(&text)?)?;
    if person.below(100) >= UNENDED_PERCENT {
        let end = Ask::delete("/mcp").header("Mcp-Session-Id", &session);
        person.ask(target, &end)?.expect(&[204])?;
    }
    Ok(())
}

fn update(person: &mut Person, target: &Target) -> Result<(), Trouble> {
    let Some((id, former)) = person.pick() else {
        return Ok(());
    };
    let (content, marker) = person.text();
    let mut draft = Person::draft(marker, &content);
    draft.key = former.key;
    draft.replaces = Some(id.clone());
    person.send(&draft);
    let body = json!({"content": content, "project": person.project});
    let ask = Ask::put(&format!("/api/memories/{id}"), &body);
    let answer = person.ask(target, &ask)?.json()?;
    person.keep(draft, &kept(&answer, "stored")?)
}

/// A client that was not told repeats itself, and must find the same memory.
fn repeat(person: &mut Person, target: &Target) -> Result<(), Trouble> {
    let Some((body, id)) = person.last.clone() else {
        return Ok(());
    };
    if !lock(&person.book).holds(&id) {
        return Ok(());
    }
    let answer = person
        .ask(target, &Ask::post("/api/memories", &body))?
        .json()?;
    match kept(&answer, "known")? {
        known if known == id => Ok(()),
        other => Trouble::wrong(format!("{id} was saved again as {other}")),
    }
}

fn search(person: &mut Person, target: &Target) -> Result<(), Trouble> {
    let query = person.words.text(2, 8).trim().replace(' ', "+");
    let scope = ["project", "all"][usize::from(person.below(10) == 0)];
    let path = format!(
        "/api/search?query={query}&project={}&scope={scope}",
        person.project
    );
    let found = person.ask(target, &Ask::get(&path))?.json()?;
    match found.get("hits").and_then(Value::as_array) {
        Some(_) => Ok(()),
        None => Trouble::wrong(format!("a search without hits: {found}")),
    }
}

fn context(person: &mut Person, target: &Target) -> Result<(), Trouble> {
    let question = json!({"query": person.words.text(3, 12)});
    person.tool(target, "get_context", &question)?;
    Ok(())
}

/// What is kept is found by its own word.
fn find(person: &mut Person, target: &Target) -> Result<(), Trouble> {
    let Some((id, draft)) = person.pick() else {
        return Ok(());
    };
    let ask = ask_for(&draft.marker, &person.project);
    is_found(&person.ask(target, &ask)?.json()?, &id)
}

fn read(person: &mut Person, target: &Target) -> Result<(), Trouble> {
    let Some((id, draft)) = person.pick() else {
        return Ok(());
    };
    let path = format!("/api/memories/{id}?project={}", person.project);
    let answer = person.ask(target, &Ask::get(&path))?.json()?;
    let memory = answer.get("memory").unwrap_or(&Value::Null);
    match id_and_content(memory) {
        Some((_, content)) if digest(content) == draft.digest => Ok(()),
        _ => Trouble::wrong(format!("{id} reads as {answer}")),
    }
}

fn list(person: &mut Person, target: &Target) -> Result<(), Trouble> {
    let path = format!("/api/memories?project={}&limit=100", person.project);
    person.ask(target, &Ask::get(&path))?.json()?;
    Ok(())
}

fn forget(person: &mut Person, target: &Target) -> Result<(), Trouble> {
    let Some((id, _)) = person.pick() else {
        return Ok(());
    };
    let ids = [id];
    lock(&person.book).leave(&ids);
    let path = format!("/api/memories/{}?project={}", ids[0], person.project);
    person.ask(target, &Ask::delete(&path))?.json()?;
    lock(&person.book).left(&ids);
    Ok(())
}

/// Forgets the oldest, after a look at what would go.
pub fn tidy_up(person: &mut Person, target: &Target) -> Result<(), Trouble> {
    let ids = lock(&person.book).oldest_beyond(person.keeps);
    let preview = person.tool(target, "forget", &json!({"ids": ids}))?;
    let code = preview.rsplit('"').nth(1).unwrap_or_default();
    lock(&person.book).leave(&ids);
    person.tool(target, "forget", &json!({"ids": ids, "confirm": code}))?;
    lock(&person.book).left(&ids);
    Ok(())
}

fn probe(person: &mut Person, target: &Target) -> Result<(), Trouble> {
    let paths = [
        "/health",
        "/health/detailed",
        "/health/liveness",
        "/metrics",
        "/api/stats",
    ];
    let path = paths[person.below(paths.len() as u64) as usize];
    person.ask(target, &Ask::get(path))?.expect(&[200])?;
    Ok(())
}

/// Sends a save, or a part of one, and goes away without waiting for the answer.
fn drop_out(person: &mut Person, target: &Target) -> Result<(), Trouble> {
    let (prompt, reply, draft) = person.turn();
    let arguments = json!({"user_prompt": prompt, "assistant_response": reply});
    person.send(&draft);
    let session = person.session();
    let ask = Ask::modern_tool("save_conversation", &arguments, &person.project, &session);
    let per_mille = (person.below(1_500) as usize).min(1_000);
    Wire::open(target.address)?.send_part(&ask, per_mille)
}

/// One command on the same store, beside the servers.
fn command(person: &mut Person, _: &Target) -> Result<(), Trouble> {
    let run =
        |machine: &Machine, args: &[&str]| machine.run(args, "", None).map_err(Trouble::Wrong);
    if person.below(2) == 0 {
        let query = person.words.text(2, 6);
        let args = [
            "search",
            "--project",
            &person.project,
            "--json",
            "--",
            &query,
        ];
        run(&person.machine, &args)?;
        return Ok(());
    }
    let (content, marker) = person.text();
    let draft = Person::draft(marker, &content);
    person.send(&draft);
    let args = [
        "remember",
        "--project",
        &person.project,
        "--json",
        "--",
        &content,
    ];
    let told = run(&person.machine, &args)?;
    match serde_json::from_str::<Value>(&told) {
        Ok(told) => match told.get("id").and_then(Value::as_str) {
            Some(id) => person.keep(draft, id),
            None => Trouble::wrong(format!("no id: {told}")),
        },
        Err(error) => Trouble::wrong(format!("not JSON ({error}): {told}")),
    }
}

/// A short session over stdio, on the same store.
fn stdio(person: &mut Person, _: &Target) -> Result<(), Trouble> {
    let (content, marker) = person.text();
    let draft = Person::draft(marker, &content);
    let question = json!({"query": person.words.text(3, 8)});
    let messages = [
        initialize(1),
        initialized(),
        legacy_tool(2, "remember", &json!({"content": content})),
        legacy_tool(3, "get_context", &question),
    ];
    let lines: String = messages
        .iter()
        .map(|message| format!("{message}\n"))
        .collect();
    person.send(&draft);
    let args = &["mcp", "--project", &person.project];
    // Whoever closes stdin earlier has no right to the last answers.
    let told = person.machine.run(args, &lines, Some(r#""id":3"#));
    let told = told.map_err(Trouble::Wrong)?;
    let answers: Vec<Value> = told
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let answer = |id: u64| {
        let mut all = answers.iter();
        let found = all.find(|answer| answer.get("id") == Some(&json!(id)));
        found.ok_or_else(|| Trouble::Wrong(format!("no answer {id} over stdio: {told}")))
    };
    person.keep(draft, &id_told(&text_of_tool(answer(2)?)?)?)?;
    text_of_tool(answer(3)?)?;
    Ok(())
}

/// The id in an answer of the API, which must tell this outcome.
fn kept(answer: &Value, outcome: &str) -> Result<String, Trouble> {
    let id = answer.pointer("/memory/id").and_then(Value::as_str);
    match (answer.get("outcome").and_then(Value::as_str), id) {
        (Some(told), Some(id)) if told == outcome => Ok(id.to_owned()),
        _ => Trouble::wrong(format!("expected it to be {outcome}: {answer}")),
    }
}

/// The id in a tool's answer that something new was kept.
fn id_told(text: &str) -> Result<String, Trouble> {
    let id = text
        .split_once("Kept as ")
        .and_then(|(_, rest)| rest.get(..36));
    match id {
        Some(id) => Ok(id.to_owned()),
        None => Trouble::wrong(format!("expected it to be kept: {text}")),
    }
}
