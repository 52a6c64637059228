//! Which passages the candidate rule takes, from the newest ends of posting lists.
//!
//! Without a filter the lists say it all. With one, what they bring is judged by the database, many
//! passages at once. A filter that lets hardly anything through would have whole lists judged, so
//! then the rule goes the other way round: from the passages that it lets through to their terms.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use tokio_postgres::Row;

use super::candidates::Terms;
use super::db::{Db, Failure, Outcome};
use super::list::Conditions;
use super::memories::project_key;
use super::postings::{List, Lists, read_more};
use crate::blocking::blocking;
use crate::store::candidates::{CandidateQuery, POSTINGS_MAX, matches, rarest_first};

/// With a filter, so many postings are judged at first; each time that was too few, four times as
/// many.
const JUDGED_FIRST: usize = 4_096;

/// So many passages are few: reading them takes 30 ms, and a filter that lets more of a million
/// through has enough among the first 75,000 postings.
const FEW_MAX: usize = 20_000;

/// The passages that the rule takes.
pub(super) async fn take(db: &Db, query: &CandidateQuery, terms: &Terms) -> Outcome<BTreeSet<i64>> {
    let mut words: Vec<Lists> = rarest_first(&terms.frequencies)
        .into_iter()
        .filter_map(|term| terms.ids.get(term))
        .map(|ids| {
            Lists(
                ids.iter()
                    .map(|(id, count)| List::new(*id, *count))
                    .collect(),
            )
        })
        .collect();
    let mut judge = Judge::new(query);
    let mut taken = BTreeSet::new();
    let (mut left, mut span) = (POSTINGS_MAX, judge.first_span());
    let mut waiting: Vec<Vec<i64>> = vec![Vec::new(); words.len()];
    let mut next = 0;
    while left > 0 && next < words.len() {
        let mut room = span.max(left);
        let mut asked = Vec::new();
        for lists in words.iter_mut().skip(next) {
            let wanted = usize::try_from(lists.unread())
                .unwrap_or(usize::MAX)
                .min(room);
            if wanted > 0 {
                asked.push((lists, wanted));
            }
            room -= wanted;
            if room == 0 {
                break;
            }
        }
        if !asked.is_empty() {
            read_more(db, &mut asked).await?;
        }
        for (lists, waiting) in words.iter_mut().zip(&mut waiting).skip(next) {
            waiting.extend(lists.newest());
        }
        judge.look_at(db, waiting.iter().skip(next)).await?;
        for (lists, waiting) in words.iter().zip(&mut waiting).skip(next) {
            for number in waiting
                .drain(..)
                .filter(|number| judge.lets_through(*number))
            {
                if left > 0 {
                    taken.insert(number);
                    left -= 1;
                }
            }
            if left == 0 || !lists.is_read() {
                break;
            }
            next += 1;
        }
        if span == JUDGED_FIRST
            && left > 0
            && next < words.len()
            && let Some(few) = among_few(db, query, terms).await?
        {
            return Ok(few);
        }
        span = span.saturating_mul(4);
    }
    Ok(taken)
}

/// The same, where the filter lets few passages of the scope through: those are read, and their
/// vectors say which terms they have. Nothing where they are many.
async fn among_few(
    db: &Db,
    query: &CandidateQuery,
    terms: &Terms,
) -> Outcome<Option<BTreeSet<i64>>> {
    let mut conditions = Conditions::new("true");
    if let Some(key) = project_key(&query.scope) {
        let key = conditions.value(key.to_owned());
        conditions.and(&format!(
            "p.project_id = (SELECT id FROM project WHERE key = {key})"
        ));
    }
    conditions.filter(&query.filter, "p", "p.memory_id");
    if query.filter.kinds.is_empty() {
        // The index by time goes by kind first.
        conditions.and("p.kind IN (0, 1, 2)");
    }
    let sql = format!(
        "WITH few AS MATERIALIZED (SELECT p.id FROM passage p WHERE {} LIMIT {FEW_MAX} + 1)
         SELECT p.id, p.terms FROM passage p
         WHERE p.id = ANY (ARRAY(SELECT id FROM few)) AND (SELECT count(*) FROM few) <= {FEW_MAX}
         UNION ALL SELECT 0, NULL WHERE (SELECT count(*) FROM few) > {FEW_MAX}",
        conditions.sql
    );
    let rows = db.rows(&sql, &conditions.values()).await?;
    if let Some(row) = rows.first()
        && row.try_get::<_, Option<&[u8]>>(1)?.is_none()
    {
        return Ok(None);
    }
    let order = rarest_first(&terms.frequencies);
    let by_id = Arc::clone(&terms.by_id);
    let work = move || Ok(take_among(&rows, &order, &by_id));
    let taken = blocking(work).await.map_err(Failure::Caller)?;
    Ok(Some(taken?))
}

/// The rule, on passages with their vectors.
fn take_among(
    rows: &[Row],
    order: &[usize],
    by_id: &[(i64, usize)],
) -> Result<BTreeSet<i64>, tokio_postgres::Error> {
    let mut having: HashMap<usize, Vec<i64>> = HashMap::new();
    for row in rows {
        let number: i64 = row.try_get(0)?;
        for (term, _) in matches(row.try_get(1)?, by_id) {
            having.entry(term).or_default().push(number);
        }
    }
    let (mut taken, mut left) = (BTreeSet::new(), POSTINGS_MAX);
    for term in order {
        let mut numbers = having.remove(term).unwrap_or_default();
        numbers.sort_unstable();
        numbers.reverse();
        numbers.truncate(left);
        left -= numbers.len();
        taken.extend(numbers);
    }
    Ok(taken)
}

/// Which passages the filter lets through: asked of the database, of many at once.
struct Judge {
    /// Nothing where there is no filter.
    sql: Option<Conditions>,
    seen: HashMap<i64, bool>,
}

impl Judge {
    fn new(query: &CandidateQuery) -> Self {
        let sql = (!query.filter.is_empty()).then(|| {
            // The numbers come last, when they are known.
            let mut conditions = Conditions::new("true");
            conditions.filter(&query.filter, "p", "p.memory_id");
            conditions
        });
        Self {
            sql,
            seen: HashMap::new(),
        }
    }

    fn first_span(&self) -> usize {
        match self.sql {
            Some(_) => JUDGED_FIRST,
            None => 0,
        }
    }

    async fn look_at(&mut self, db: &Db, lists: impl Iterator<Item = &Vec<i64>>) -> Outcome<()> {
        let Some(conditions) = &self.sql else {
            return Ok(());
        };
        let unseen: HashSet<i64> = lists
            .flatten()
            .filter(|number| !self.seen.contains_key(number))
            .copied()
            .collect();
        let unseen: Vec<i64> = unseen.into_iter().collect();
        let mut values = conditions.values();
        values.push(&unseen);
        let sql = format!(
            "SELECT p.id FROM passage p WHERE {} AND p.id = ANY (${})",
            conditions.sql,
            values.len()
        );
        let rows = db.rows(&sql, &values).await?;
        self.seen
            .extend(unseen.iter().map(|number| (*number, false)));
        for row in &rows {
            self.seen.insert(row.try_get(0)?, true);
        }
        Ok(())
    }

    fn lets_through(&self, number: i64) -> bool {
        self.sql.is_none() || self.seen.get(&number).is_some_and(|through| *through)
    }
}
