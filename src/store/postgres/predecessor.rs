//! Reading what Sage's predecessor kept in PostgreSQL. Nothing is written there: all is read in one
//! read-only transaction, through a cursor.

use std::path::PathBuf;

use tokio_postgres::Client;

use super::explain;
use super::target::Target;
use super::tls::Tls;
use crate::config::Secret;
use crate::error::{Error, Result};

/// The address of the predecessor's database.
#[derive(Debug, Clone)]
pub struct Address {
    /// What named it, for errors.
    pub named_by: String,
    /// The address itself.
    pub url: Secret,
    /// The certificates that vouch for it, if not those of public authorities.
    pub ca_file: Option<PathBuf>,
}

/// A turn as the predecessor kept it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerTurn {
    /// Its number or name there.
    pub id: String,
    /// What the person wrote.
    pub prompt: String,
    /// What was answered.
    pub reply: String,
    /// Its conversation.
    pub session: Option<String>,
    /// A JSON object.
    pub metadata: Option<String>,
    /// Milliseconds since 1970, UTC.
    pub created_ms: Option<i64>,
}

/// A connection in the middle of reading.
pub struct FormerTurns {
    client: Client,
    place: String,
    /// How many there are.
    pub total: u64,
}

/// Rows read at a time; a turn has some kilobytes.
const ROWS: usize = 64;

/// One view of the data, which nobody can take for more than reading.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Which columns the tables have, where search_path finds them.
const COLUMNS: &str = "
    SELECT c.relname::text, a.attname::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE a.attrelid IN (to_regclass('memories'), to_regclass('sessions'))
      AND a.attnum > 0 AND NOT a.attisdropped";

impl Address {
    /// Whether the address itself holds a password.
    ///
    /// # Errors
    /// When it is no address.
    pub fn has_password(&self) -> Result<bool> {
        Ok(self.target()?.config.get_password().is_some())
    }

    fn target(&self) -> Result<Target> {
        Target::read(&self.named_by, self.url.reveal(), self.ca_file.clone())
    }
}

impl FormerTurns {
    /// Connects, and begins to read.
    ///
    /// # Errors
    /// When the database cannot be reached or holds no such tables.
    pub async fn open(address: &Address) -> Result<Self> {
        let target = address.target()?;
        let tls = Tls::new(&target)?;
        let place = target.database();
        let (client, connection) =
            (target.config.connect(tls).await).map_err(|error| explain::sql(&place, &error))?;
        // It ends when the client is dropped; what goes wrong in it, the client's calls say.
        tokio::spawn(async move { drop(connection.await) });
        let mut turns = Self {
            client,
            place,
            total: 0,
        };
        turns.begin().await?;
        Ok(turns)
    }

    async fn begin(&mut self) -> Result<()> {
        self.batch(BEGIN).await?;
        let mut columns = Vec::new();
        for row in self.rows(COLUMNS).await? {
            let (table, column): (String, String) = (self.get(&row, 0)?, self.get(&row, 1)?);
            columns.push(format!("{table}.{column}"));
        }
        let has = |name: &str| columns.iter().any(|column| column == name);
        let needed = ["id", "user_input", "assistant_response", "created_at"];
        if let Some(missing) = needed.iter().find(|name| !has(&format!("memories.{name}"))) {
            return Err(Error::NotFound(format!(
                "PostgreSQL {} holds no memories of the predecessor: there is no column {missing} \
                 in a table `memories`; name the database that has it",
                self.place
            )));
        }
        // A session may go by a number in one table, and by its name in the other.
        let (session, join) = match has("sessions.id") && has("sessions.session_id") {
            true => (
                "coalesce(s.session_id::text, m.session_id::text)",
                "LEFT JOIN sessions s ON s.id::text = m.session_id::text",
            ),
            false => ("m.session_id::text", ""),
        };
        let session = if has("memories.session_id") {
            session
        } else {
            "NULL"
        };
        let join = if has("memories.session_id") { join } else { "" };
        let metadata = match has("memories.metadata") {
            true => "m.metadata::text",
            false => "NULL",
        };
        self.batch(&format!(
            "DECLARE former NO SCROLL CURSOR FOR
             SELECT m.id::text, coalesce(m.user_input, '')::text,
                    coalesce(m.assistant_response, '')::text, {session}, {metadata},
                    (extract(epoch FROM m.created_at) * 1000)::bigint
             FROM memories m {join} ORDER BY m.created_at, m.id"
        ))
        .await?;
        for row in self.rows("SELECT count(*) FROM memories").await? {
            self.total = self.get::<i64>(&row, 0)?.unsigned_abs();
        }
        Ok(())
    }

    /// Some more, the oldest first; none at the end.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn next(&mut self) -> Result<Vec<FormerTurn>> {
        let rows = self.rows(&format!("FETCH {ROWS} FROM former")).await?;
        let turn = |row| {
            Ok(FormerTurn {
                id: self.get(row, 0)?,
                prompt: self.get(row, 1)?,
                reply: self.get(row, 2)?,
                session: self.get(row, 3)?,
                metadata: self.get(row, 4)?,
                created_ms: self.get(row, 5)?,
            })
        };
        rows.iter().map(turn).collect()
    }

    async fn batch(&self, sql: &str) -> Result<()> {
        let done = self.client.batch_execute(sql).await;
        done.map_err(|error| explain::sql(&self.place, &error))
    }

    async fn rows(&self, sql: &str) -> Result<Vec<tokio_postgres::Row>> {
        let rows = self.client.query(sql, &[]).await;
        rows.map_err(|error| explain::sql(&self.place, &error))
    }

    fn get<'a, T: tokio_postgres::types::FromSql<'a>>(
        &self,
        row: &'a tokio_postgres::Row,
        column: usize,
    ) -> Result<T> {
        row.try_get(column)
            .map_err(|error| explain::sql(&self.place, &error))
    }
}
