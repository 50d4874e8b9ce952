//! Who may do what: questions, answered in one statement, and so on one snapshot together with the position of the log.

use entitled_model::access::{Held, Path, Question};
use entitled_model::{GrantId, GroupId, Position, SourceName, UserId};
use sea_orm::QueryResult;
use serde_json::{Value as Json, json};

use super::error::{Doing, StoreError};
use super::sql::{Dialect, rows};
use super::{Reader, Store};

/// What is stored about some questions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// Everything up to here is in them, and nothing after it.
    pub position: Position,
    /// In the order of the questions.
    pub held: Vec<Held>,
}

const DOING: &str = "answering who may do what";

/// One question, its parts as parameters: the database plans for exactly one.
const ONE: &str = "SELECT 0 AS n, $1 AS user_id, $2 AS email_key, $3 AS sub, $4 AS resource_type, $5 AS resource_id,
    $6 AS permission";

fn many(d: Dialect) -> String {
    format!(
        "SELECT {} AS n, {} AS user_id, {} AS email_key, {} AS sub, {} AS resource_type, {} AS resource_id,
             {} AS permission FROM {}",
        d.int(0),
        d.uuid(1),
        d.text(2),
        d.text(3),
        d.text(4),
        d.text(5),
        d.text(6),
        d.each("$1")
    )
}

/// The statement that answers one question; the parameters are the user as an id, an address and a subject, then the
/// resource's type and id, and the permission. Public for the test that has it explained.
#[must_use]
pub fn check_sql() -> String {
    answering(ONE)
}

/// It goes from the few groups that have the permission to this one user's row in each, by keys: what it costs grows neither
/// with the store, nor with what else the user is in, nor with what else those groups have. The databases are held to that:
/// `MATERIALIZED` and `CROSS JOIN` keep the order, and a condition in which PostgreSQL does not recognise the open rows keeps
/// it from their index, which begins with the source and looks small to it until the table is first analysed.
fn answering(questions: &str) -> String {
    format!(
        "WITH question AS ({questions}),
        subject AS MATERIALIZED (
            SELECT q.n, q.resource_type, q.resource_id, q.permission, COALESCE(
                (SELECT k.id FROM user_account k WHERE k.id = q.user_id),
                (SELECT e.user_id FROM user_profile e WHERE e.email_key = q.email_key),
                (SELECT d.user_id FROM directory_address d WHERE d.email_key = q.email_key ORDER BY d.source LIMIT 1),
                (SELECT b.user_id FROM user_profile b WHERE b.sub = q.sub)) AS user_id
            FROM question q),
        giving AS MATERIALIZED (
            SELECT s.n, s.user_id, a.group_id, a.id AS grant_id FROM subject s CROSS JOIN access_grant a
            WHERE a.resource_type = s.resource_type AND a.resource_id = s.resource_id AND a.permission = s.permission
            UNION ALL
            SELECT s.n, s.user_id, f.id, NULL FROM subject s CROSS JOIN user_group f
            WHERE f.resource_type = s.resource_type AND f.resource_id = s.resource_id AND f.permission = s.permission),
        path AS MATERIALIZED (
            SELECT o.n, g.id AS group_id, g.name, o.grant_id, m.source
            FROM giving o CROSS JOIN membership m CROSS JOIN user_group g
            WHERE m.group_id = o.group_id AND m.user_id = o.user_id AND COALESCE(m.to_position, 0) = 0
                AND g.id = m.group_id AND g.ended_position IS NULL)
        SELECT h.position, s.n, u.id, u.status, p.group_id, p.name, p.grant_id, p.source
        FROM event_head h CROSS JOIN subject s LEFT JOIN user_account u ON u.id = s.user_id LEFT JOIN path p ON p.n = s.n
        WHERE h.id = 1 ORDER BY s.n, p.name, p.group_id, p.grant_id, p.source"
    )
}

impl Store {
    /// What is stored about these questions, all at the same position.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn check(&self, conn: &impl Reader, questions: &[Question]) -> Result<Answers, StoreError> {
        let d = conn.dialect();
        let statement = match questions {
            [Question { user, permission, resource }] => {
                let values = [
                    user.id.map(|id| id.0).into(),
                    user.email.as_str().into(),
                    user.sub.as_ref().map(|sub| sub.as_str().to_owned()).into(),
                    resource.resource_type.as_str().into(),
                    resource.resource_id.as_str().into(),
                    permission.as_str().into(),
                ];
                d.statement(check_sql(), values)
            }
            _ => {
                let asked: Vec<Json> = questions.iter().enumerate().map(row).collect();
                d.statement(answering(&many(d)), [rows(&asked)])
            }
        };
        let found = conn.query_all_raw(statement).await.doing(DOING)?;
        let mut answers = Answers { position: Position(0), held: vec![Held::default(); questions.len()] };
        for row in &found {
            take(&mut answers, row)?;
        }
        match answers.position {
            Position(0) if found.is_empty() && !questions.is_empty() => {
                Err(StoreError::damaged("the head of the log is missing"))
            }
            _ => Ok(answers),
        }
    }
}

fn row((n, question): (usize, &Question)) -> Json {
    let Question { user, permission, resource } = question;
    let sub = user.sub.as_ref().map(|sub| sub.as_str());
    json!([n, user.id, user.email.as_str(), sub, resource.resource_type, resource.resource_id, permission])
}

/// Takes one row: a path with one of its sources, or none. Those of one path follow each other.
fn take(answers: &mut Answers, row: &QueryResult) -> Result<(), StoreError> {
    answers.position = Position(row.try_get_by_index(0).doing(DOING)?);
    // PostgreSQL reads the lone question's number as an int, and the others' as a bigint.
    let n = row.try_get_by_index::<i64>(1).or_else(|_| row.try_get_by_index::<i32>(1).map(i64::from)).doing(DOING)?;
    let held = usize::try_from(n).ok().and_then(|n| answers.held.get_mut(n));
    let held = held.ok_or_else(|| StoreError::damaged("an answer to no question"))?;
    let user: Option<uuid::Uuid> = row.try_get_by_index(2).doing(DOING)?;
    let Some(user) = user else { return Ok(()) };
    held.user = Some((UserId(user), row.try_get_by_index(3).doing(DOING)?));
    let group: Option<uuid::Uuid> = row.try_get_by_index(4).doing(DOING)?;
    let Some(group) = group.map(GroupId) else { return Ok(()) };
    let grant: Option<uuid::Uuid> = row.try_get_by_index(6).doing(DOING)?;
    let (grant, source) = (grant.map(GrantId), SourceName::stored(row.try_get_by_index(7).doing(DOING)?));
    match held.paths.last_mut() {
        Some(path) if path.group == group && path.grant == grant => path.sources.push(source),
        _ => {
            let name = row.try_get_by_index(5).doing(DOING)?;
            held.paths.push(Path { group, name, grant, sources: vec![source] });
        }
    }
    Ok(())
}
