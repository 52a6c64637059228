//! What hooks leave behind.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::memories::{SELECT, memory};
use super::sessions;
use crate::memory::{Memory, MemoryId, Project, Scope, Timestamp};
use crate::store::columns::time_of;
use crate::store::trace::{
    Injection, LEDGER_MS, Noted, Outcome, TRACES_MAX, Trace, TraceKind, TraceQuery, Usage,
};

pub(super) fn note(tx: &Transaction<'_>, noted: &Noted, now: Timestamp) -> rusqlite::Result<()> {
    let now_ms = now.as_millisecond();
    if let Some((path, project)) = &noted.directory {
        let project = sessions::make_project(tx, project)?;
        sessions::learn_directory(tx, path, project)?;
    }
    for (kind, session, beginning) in &noted.served {
        tx.prepare_cached(
            "DELETE FROM trace WHERE kind = ?1 AND session = ?2
             AND substr(name, 1, length(?3)) = ?3",
        )?
        .execute(params![kind.number(), session, beginning])?;
    }
    for trace in &noted.traces {
        put_trace(tx, trace)?;
    }
    for line in &noted.injections {
        put_injection(tx, line)?;
    }
    for (session, prompt, memory, used) in &noted.used {
        tx.prepare_cached(
            "UPDATE injection SET used = ?4 WHERE session = ?1 AND prompt = ?2
             AND memory_id = (SELECT id FROM memory WHERE name = ?3)",
        )?
        .execute(params![session, prompt, memory.as_bytes(), used])?;
    }
    for kind in [TraceKind::Call, TraceKind::Prompt] {
        // The second stands for all others.
        tx.prepare_cached("DELETE FROM trace WHERE at_ms < ?1 AND (kind = ?2 OR ?3)")?
            .execute(params![
                now_ms - kind.kept_ms(),
                kind.number(),
                kind != TraceKind::Call
            ])?;
    }
    tx.prepare_cached("DELETE FROM injection WHERE at_ms < ?1")?
        .execute([now_ms - LEDGER_MS])?;
    Ok(())
}

fn put_trace(tx: &Transaction<'_>, trace: &Trace) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT OR IGNORE INTO trace (kind, session, name, project, at_ms, value)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6
         WHERE (SELECT count(*) FROM trace WHERE kind = ?1 AND session = ?2) < ?7",
    )?
    .execute(params![
        trace.kind.number(),
        trace.session,
        trace.name,
        trace.project.key,
        trace.at.as_millisecond(),
        trace.value,
        TRACES_MAX,
    ])?;
    Ok(())
}

/// Adds a line, unless it is there or its memory is not; returns how many that were.
pub(super) fn put_injection(tx: &Transaction<'_>, line: &Injection) -> rusqlite::Result<usize> {
    tx.prepare_cached(
        "INSERT OR IGNORE INTO injection
             (session, prompt, memory_id, outcome, rank, score, tokens, terms, at_ms, used)
         SELECT ?1, ?2, id, ?4, ?5, ?6, ?7, ?8, ?9, ?10 FROM memory WHERE name = ?3",
    )?
    .execute(params![
        line.session,
        line.prompt,
        line.memory.as_bytes(),
        line.outcome.number(),
        line.rank,
        line.score,
        line.tokens,
        line.terms,
        line.at.as_millisecond(),
        line.used,
    ])
}

pub(super) fn find(db: &Connection, query: &TraceQuery) -> rusqlite::Result<Vec<Trace>> {
    db.prepare_cached(
        "SELECT session, name, project, at_ms, value FROM trace
         WHERE kind = ?1 AND (?2 IS NULL OR session = ?2) AND (?3 IS NULL OR name = ?3)
           AND (?4 IS NULL OR project = ?4)
         ORDER BY at_ms, session, name LIMIT ?5",
    )?
    .query_map(
        params![
            query.kind.number(),
            query.session,
            query.name,
            query.project.as_ref().map(|project| &project.key),
            TRACES_MAX,
        ],
        |row| {
            Ok(Trace {
                kind: query.kind,
                session: row.get(0)?,
                name: row.get(1)?,
                project: Project::new(row.get::<_, String>(2)?),
                at: time_of(row.get(3)?),
                value: row.get(4)?,
            })
        },
    )?
    .collect()
}

/// A line of the ledger, of the tables `i` and `m`.
pub(super) const INJECTION: &str = "i.session, i.prompt, m.name, i.outcome, i.rank, i.score,
    i.tokens, i.terms, i.at_ms, i.used";

/// A row of [`INJECTION`].
pub(super) fn injection(row: &Row<'_>) -> rusqlite::Result<Injection> {
    Ok(Injection {
        session: row.get(0)?,
        prompt: row.get(1)?,
        memory: MemoryId::from_bytes(row.get(2)?),
        outcome: Outcome::of(row.get(3)?),
        rank: row.get(4)?,
        score: row.get(5)?,
        tokens: row.get(6)?,
        terms: row.get(7)?,
        at: time_of(row.get(8)?),
        used: row.get(9)?,
    })
}

/// The lines about a session or a memory, the newest first.
pub(super) fn injections(
    db: &Connection,
    scope: &Scope,
    session: Option<&str>,
    name: Option<MemoryId>,
    limit: usize,
) -> rusqlite::Result<Vec<Injection>> {
    let project = scope.project().map(|project| project.key.as_str());
    let which = match session {
        Some(_) => "i.session = ?1",
        None => "i.memory_id = (SELECT id FROM memory WHERE name = ?2)",
    };
    db.prepare_cached(&format!(
        "SELECT {INJECTION} FROM injection i JOIN memory m ON m.id = i.memory_id
         JOIN project p ON p.id = m.project_id
         WHERE {which} AND (?2 IS NULL OR m.name = ?2) AND (?3 IS NULL OR p.key = ?3)
           AND (?1 IS NULL OR i.session = ?1)
         ORDER BY i.at_ms DESC, i.rank, i.id LIMIT ?4"
    ))?
    .query_map(
        params![
            session,
            name.as_ref().map(MemoryId::as_bytes),
            project,
            limit as i64
        ],
        injection,
    )?
    .collect()
}

pub(super) fn usage(db: &Connection, names: &[MemoryId]) -> rusqlite::Result<Vec<Usage>> {
    let mut select = db.prepare_cached(
        "SELECT count(*), coalesce(sum(used), 0) FROM injection
         WHERE memory_id = (SELECT id FROM memory WHERE name = ?1)
           AND outcome = 0 AND used IS NOT NULL",
    )?;
    let usage = |row: &Row<'_>| {
        Ok(Usage {
            given: row.get::<_, i64>(0)?.unsigned_abs(),
            used: row.get::<_, i64>(1)?.unsigned_abs(),
        })
    };
    let names = names.iter();
    names
        .map(|name| select.query_row([name.as_bytes()], usage))
        .collect()
}

/// How the given and the held out fared: of each how many, and how many the reply used.
pub(super) fn benefit(db: &Connection, scope: &Scope) -> rusqlite::Result<[Usage; 2]> {
    let project = scope.project().map(|project| project.key.as_str());
    let mut select = db.prepare_cached(
        "SELECT count(*), coalesce(sum(i.used), 0)
         FROM injection i JOIN memory m ON m.id = i.memory_id
         JOIN project p ON p.id = m.project_id
         WHERE i.outcome = ?1 AND i.used IS NOT NULL AND i.prompt NOT LIKE 'start %' AND (?2 IS NULL OR p.key = ?2)",
    )?;
    let mut fared = |outcome: Outcome| {
        select.query_row(params![outcome.number(), project], |row| {
            Ok(Usage {
                given: row.get::<_, i64>(0)?.unsigned_abs(),
                used: row.get::<_, i64>(1)?.unsigned_abs(),
            })
        })
    };
    Ok([fared(Outcome::Given)?, fared(Outcome::HeldOut)?])
}

/// The memory that an event made.
pub(super) fn event_memory(db: &Connection, event: &str) -> rusqlite::Result<Option<Memory>> {
    db.prepare_cached(&format!("{SELECT} WHERE m.event = ?1"))?
        .query_row([event], memory)
        .optional()
}

/// What a session starts with: standing notes, then the latest summaries.
pub(super) fn opening(
    db: &Connection,
    project: &Project,
    now: Timestamp,
    notes_max: usize,
    summaries_max: usize,
) -> rusqlite::Result<Vec<Memory>> {
    let mut found = Vec::new();
    for (which, order, limit) in [
        (
            "m.kind = 1 AND (m.pinned = 1 OR m.key IS NOT NULL)",
            "m.pinned DESC, m.created_ms DESC, m.id DESC",
            notes_max,
        ),
        ("m.kind = 2", "m.created_ms DESC, m.id DESC", summaries_max),
    ] {
        let mut select = db.prepare_cached(&format!(
            "{SELECT} WHERE m.project_id = (SELECT id FROM project WHERE key = ?1)
               AND m.superseded_by IS NULL AND {which}
               AND (m.expires_ms IS NULL OR m.expires_ms > ?2)
             ORDER BY {order} LIMIT ?3"
        ))?;
        let rows = select.query_map(
            params![project.key, now.as_millisecond(), limit as i64],
            memory,
        )?;
        for row in rows {
            found.push(row?);
        }
    }
    Ok(found)
}
