//! What hooks leave behind.

use tokio_postgres::Row;
use uuid::Uuid;

use super::db::{Db, Outcome as Answer};
use super::list::limit_value;
use super::memories::{SELECT, memory, name, name_column, project_key};
use super::sessions;
use crate::memory::{Memory, MemoryId, Project, Scope, Timestamp};
use crate::store::columns::time_of;
use crate::store::trace::{
    Injection, LEDGER_MS, Noted, Outcome, TRACES_MAX, Trace, TraceKind, TraceQuery, Usage,
};

pub(super) async fn note(db: &Db, noted: &Noted, now: Timestamp) -> Answer<()> {
    let now_ms = now.as_millisecond();
    if let Some((path, project)) = &noted.directory {
        let project = sessions::make_project(db, project).await?;
        sessions::learn_directory(db, path, project).await?;
    }
    for (kind, session, beginning) in &noted.served {
        db.run(
            "DELETE FROM trace WHERE kind = $1 AND session = $2 AND starts_with(name, $3)",
            &[&number(*kind), session, beginning],
        )
        .await?;
    }
    for trace in &noted.traces {
        put_trace(db, trace).await?;
    }
    for line in &noted.injections {
        put_injection(db, line).await?;
    }
    for (session, prompt, memory, used) in &noted.used {
        db.run(
            "UPDATE injection SET used = $4 WHERE session = $1 AND prompt = $2
             AND memory_id = (SELECT id FROM memory WHERE name = $3)",
            &[session, prompt, &name_column(*memory), used],
        )
        .await?;
    }
    let (call, other) = (TraceKind::Call, TraceKind::Prompt);
    db.run(
        "DELETE FROM trace WHERE (kind = $1 AND at_ms < $2) OR at_ms < $3",
        &[
            &number(call),
            &(now_ms - call.kept_ms()),
            &(now_ms - other.kept_ms()),
        ],
    )
    .await?;
    let oldest = now_ms - LEDGER_MS;
    db.run("DELETE FROM injection WHERE at_ms < $1", &[&oldest])
        .await?;
    Ok(())
}

/// The number of a kind as its column holds it.
fn number(kind: TraceKind) -> i16 {
    i16::try_from(kind.number()).unwrap_or_default()
}

async fn put_trace(db: &Db, trace: &Trace) -> Answer<()> {
    db.run(
        "INSERT INTO trace (kind, session, name, project, at_ms, value)
         SELECT $1::smallint, $2::text, $3::text, $4::text, $5::bigint, $6::text
         WHERE (SELECT count(*) FROM trace WHERE kind = $1 AND session = $2) < $7
         ON CONFLICT DO NOTHING",
        &[
            &number(trace.kind),
            &trace.session,
            &trace.name,
            &trace.project.key,
            &trace.at.as_millisecond(),
            &trace.value,
            &TRACES_MAX,
        ],
    )
    .await?;
    Ok(())
}

/// Adds a line, unless it is there or its memory is not; returns how many that were.
pub(super) async fn put_injection(db: &Db, line: &Injection) -> Answer<u64> {
    db.run(
        "INSERT INTO injection
             (session, prompt, memory_id, outcome, rank, score, tokens, terms, at_ms, used)
         SELECT $1::text, $2::text, id, $4::smallint, $5::bigint, $6::float8, $7::bigint,
                $8::text, $9::bigint, $10::boolean
         FROM memory WHERE name = $3 ON CONFLICT DO NOTHING",
        &[
            &line.session,
            &line.prompt,
            &name_column(line.memory),
            &i16::try_from(line.outcome.number()).unwrap_or_default(),
            &i64::from(line.rank),
            &line.score,
            &i64::from(line.tokens),
            &line.terms,
            &line.at.as_millisecond(),
            &line.used,
        ],
    )
    .await
}

pub(super) async fn find(db: &Db, query: &TraceQuery) -> Answer<Vec<Trace>> {
    let project = query.project.as_ref().map(|project| &project.key);
    let rows = db
        .rows(
            "SELECT session, name, project, at_ms, value FROM trace
             WHERE kind = $1 AND ($2::text IS NULL OR session = $2)
               AND ($3::text IS NULL OR name = $3) AND ($4::text IS NULL OR project = $4)
             ORDER BY at_ms, session, name LIMIT $5",
            &[
                &number(query.kind),
                &query.session,
                &query.name,
                &project,
                &TRACES_MAX,
            ],
        )
        .await?;
    let trace = |row: &Row| {
        Ok(Trace {
            kind: query.kind,
            session: row.try_get(0)?,
            name: row.try_get(1)?,
            project: Project::new(row.try_get::<_, String>(2)?),
            at: time_of(row.try_get(3)?),
            value: row.try_get(4)?,
        })
    };
    rows.iter().map(trace).collect()
}

/// A line of the ledger, of the tables `i` and `m`.
pub(super) const INJECTION: &str = "i.session, i.prompt, m.name, i.outcome, i.rank, i.score,
    i.tokens, i.terms, i.at_ms, i.used";

/// A row that begins with [`INJECTION`].
pub(super) fn injection(row: &Row) -> Answer<Injection> {
    let small = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(Injection {
        session: row.try_get(0)?,
        prompt: row.try_get(1)?,
        memory: name(row.try_get(2)?),
        outcome: Outcome::of(i64::from(row.try_get::<_, i16>(3)?)),
        rank: small(row.try_get(4)?),
        score: row.try_get(5)?,
        tokens: small(row.try_get(6)?),
        terms: row.try_get(7)?,
        at: time_of(row.try_get(8)?),
        used: row.try_get(9)?,
    })
}

/// The lines about a session or a memory, the newest first.
pub(super) async fn injections(
    db: &Db,
    scope: &Scope,
    session: Option<&str>,
    memory: Option<MemoryId>,
    limit: usize,
) -> Answer<Vec<Injection>> {
    let rows = db
        .rows(
            &format!(
                "SELECT {INJECTION} FROM injection i JOIN memory m ON m.id = i.memory_id
             JOIN project p ON p.id = m.project_id
             WHERE ($1::text IS NULL OR i.session = $1) AND ($2::uuid IS NULL OR m.name = $2)
               AND ($3::text IS NULL OR p.key = $3)
             ORDER BY i.at_ms DESC, i.rank, i.id LIMIT $4"
            ),
            &[
                &session,
                &memory.map(name_column),
                &project_key(scope),
                &limit_value(limit),
            ],
        )
        .await?;
    rows.iter().map(injection).collect()
}

fn usage_of(row: &Row) -> Answer<Usage> {
    Ok(Usage {
        given: row.try_get::<_, i64>(0)?.unsigned_abs(),
        used: row.try_get::<_, i64>(1)?.unsigned_abs(),
    })
}

pub(super) async fn usage(db: &Db, names: &[MemoryId]) -> Answer<Vec<Usage>> {
    let names: Vec<Uuid> = names.iter().map(|name| name_column(*name)).collect();
    let rows = db
        .rows(
            "SELECT count(i.id), count(i.id) FILTER (WHERE i.used)
             FROM unnest($1::uuid[]) WITH ORDINALITY AS asked (name, place)
             LEFT JOIN memory m ON m.name = asked.name
             LEFT JOIN injection i ON i.memory_id = m.id AND i.outcome = 0 AND i.used IS NOT NULL
             GROUP BY asked.place ORDER BY asked.place",
            &[&names],
        )
        .await?;
    rows.iter().map(usage_of).collect()
}

/// How the given and the held out fared: of each how many, and how many the reply used.
pub(super) async fn benefit(db: &Db, scope: &Scope) -> Answer<[Usage; 2]> {
    let rows = db
        .rows(
            "SELECT count(i.id), count(i.id) FILTER (WHERE i.used)
             FROM (VALUES (0), (1)) AS asked (outcome)
             LEFT JOIN (injection i JOIN memory m ON m.id = i.memory_id
                        JOIN project p ON p.id = m.project_id)
               ON i.outcome = asked.outcome AND i.used IS NOT NULL AND i.prompt NOT LIKE 'start %'
                  AND ($1::text IS NULL OR p.key = $1)
             GROUP BY asked.outcome ORDER BY asked.outcome",
            &[&project_key(scope)],
        )
        .await?;
    let mut fared = rows.iter().map(usage_of);
    let mut next = || fared.next().transpose().map(Option::unwrap_or_default);
    Ok([next()?, next()?])
}

/// The memory that an event made.
pub(super) async fn event_memory(db: &Db, event: &str) -> Answer<Option<Memory>> {
    let sql = format!("{SELECT} WHERE m.event = $1");
    let row = db.row(&sql, &[&event]).await?;
    row.as_ref().map(memory).transpose()
}

/// What a session starts with: standing notes, then the latest summaries.
pub(super) async fn opening(
    db: &Db,
    project: &Project,
    now: Timestamp,
    notes_max: usize,
    summaries_max: usize,
) -> Answer<Vec<Memory>> {
    let mut found = Vec::new();
    for (which, order, limit) in [
        (
            "m.kind = 1 AND (m.pinned OR m.key IS NOT NULL)",
            "m.pinned DESC, m.created_ms DESC, m.id DESC",
            notes_max,
        ),
        ("m.kind = 2", "m.created_ms DESC, m.id DESC", summaries_max),
    ] {
        let sql = format!(
            "{SELECT} WHERE m.project_id = (SELECT id FROM project WHERE key = $1)
               AND m.superseded_by IS NULL AND {which}
               AND (m.expires_ms IS NULL OR m.expires_ms > $2)
             ORDER BY {order} LIMIT $3"
        );
        let now_ms = now.as_millisecond();
        let rows = db
            .rows(&sql, &[&project.key, &now_ms, &limit_value(limit)])
            .await?;
        for row in &rows {
            found.push(memory(row)?);
        }
    }
    Ok(found)
}
