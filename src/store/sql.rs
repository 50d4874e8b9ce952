//! The few words in which the two databases differ, for statements that carry many rows in one JSON parameter.
//!
//! A list of rows goes over as `[[a, b], [c, d]]`; in the statement each row is `e.value` and its fields are typed by
//! [`Dialect::uuid`], [`Dialect::int`] and [`Dialect::text`]. One statement of this kind takes any number of rows, where
//! bound values would stop at 32,766.

use chrono::SecondsFormat;
use entitled_model::{Instant, UserId};
use sea_orm::{DatabaseBackend, Statement, Value};
use serde::Serialize;
use uuid::Uuid;

use super::error::StoreError;

/// The most rows that one statement carries.
pub(super) const STATEMENT_ROWS_MAX: usize = 10_000;

/// The type of a row's field.
#[derive(Clone, Copy)]
pub(super) enum Field {
    Uuid,
    Int,
    Text,
    /// As [`time`] writes it.
    Time,
}

/// How many are few enough to be told one by one.
const FEW: usize = 4;

/// A condition, and the values of its parameters.
pub(super) struct Among {
    pub condition: String,
    pub values: Vec<Value>,
}

/// Which of the two is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    pub(super) fn of(backend: DatabaseBackend) -> Self {
        match backend {
            DatabaseBackend::Postgres => Dialect::Postgres,
            _ => Dialect::Sqlite,
        }
    }

    fn backend(self) -> DatabaseBackend {
        match self {
            Dialect::Sqlite => DatabaseBackend::Sqlite,
            Dialect::Postgres => DatabaseBackend::Postgres,
        }
    }

    /// The rows of a JSON parameter, as a table `e`.
    pub(super) fn each(self, parameter: &str) -> String {
        match self {
            Dialect::Sqlite => format!("json_each({parameter}) AS e"),
            Dialect::Postgres => format!("json_array_elements(CAST({parameter} AS json)) AS e(value)"),
        }
    }

    pub(super) fn uuid(self, field: usize) -> String {
        match self {
            Dialect::Sqlite => format!("unhex(e.value ->> {field}, '-')"),
            Dialect::Postgres => format!("CAST(e.value ->> {field} AS uuid)"),
        }
    }

    pub(super) fn int(self, field: usize) -> String {
        match self {
            Dialect::Sqlite => format!("(e.value ->> {field})"),
            Dialect::Postgres => format!("CAST(e.value ->> {field} AS bigint)"),
        }
    }

    pub(super) fn text(self, field: usize) -> String {
        format!("(e.value ->> {field})")
    }

    pub(super) fn time(self, field: usize) -> String {
        match self {
            Dialect::Sqlite => format!("(e.value ->> {field})"),
            Dialect::Postgres => format!("CAST(e.value ->> {field} AS timestamptz)"),
        }
    }

    /// That `column` is one of these, in parameters from `first` on. A few are parameters of their own, so that the databases
    /// plan for as many as there are; how many stand in one, they can't know.
    pub(super) fn among<T>(self, column: &str, first: usize, field: Field, wanted: &[T]) -> Among
    where
        T: Copy + Serialize + Into<Value>,
    {
        if wanted.len() > FEW {
            let one: Vec<[T; 1]> = wanted.iter().map(|wanted| [*wanted]).collect();
            let each = self.each(&format!("${first}"));
            let condition = format!("{column} IN (SELECT {} FROM {each})", self.field(field, 0));
            return Among { condition, values: vec![rows(&one)] };
        }
        let parameters: Vec<String> = (first..first + wanted.len()).map(|number| format!("${number}")).collect();
        let condition = match &parameters[..] {
            [] => "1 = 0".to_owned(),
            parameters => format!("{column} IN ({})", parameters.join(", ")),
        };
        Among { condition, values: wanted.iter().map(|wanted| (*wanted).into()).collect() }
    }

    /// The same of users.
    pub(super) fn users_among(self, column: &str, first: usize, users: impl IntoIterator<Item = UserId>) -> Among {
        let users: Vec<Uuid> = users.into_iter().map(|user| user.0).collect();
        self.among(column, first, Field::Uuid, &users)
    }

    /// The ids of a group's rows in one text, as [`unpacked`] takes it apart.
    pub(super) fn packed(self, column: &str) -> String {
        match self {
            Dialect::Sqlite => format!("group_concat(hex({column}), '')"),
            Dialect::Postgres => format!("string_agg(encode(uuid_send({column}), 'hex'), '')"),
        }
    }

    /// Whether `text`, in lower case, holds `part`.
    pub(super) fn mentions(self, text: &str, part: &str) -> String {
        match self {
            Dialect::Sqlite => format!("instr(lower({text}), {part}) > 0"),
            Dialect::Postgres => format!("strpos(lower({text}), {part}) > 0"),
        }
    }

    /// Inserts the rows of `$1`, field by field into `columns`; `tail` may say what to do about a conflict.
    pub(super) fn insert(self, table: &str, columns: &[(&str, Field)], tail: &str) -> String {
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let fields: Vec<String> =
            columns.iter().enumerate().map(|(index, (_, field))| self.field(*field, index)).collect();
        let (names, fields, each) = (names.join(", "), fields.join(", "), self.each("$1"));
        // Without its WHERE, SQLite would read ON CONFLICT as a join's ON.
        format!("INSERT INTO {table} ({names}) SELECT {fields} FROM {each} WHERE true {tail}")
    }

    fn field(self, field: Field, index: usize) -> String {
        match field {
            Field::Uuid => self.uuid(index),
            Field::Int => self.int(index),
            Field::Text => self.text(index),
            Field::Time => self.time(index),
        }
    }

    pub(super) fn statement(self, sql: impl Into<String>, values: impl IntoIterator<Item = Value>) -> Statement {
        Statement::from_sql_and_values(self.backend(), sql.into(), values)
    }
}

/// Rows as one JSON parameter.
pub(super) fn rows<T: Serialize>(rows: &[T]) -> Value {
    serde_json::to_string(rows).expect("invariant: rows are plain values").into()
}

/// Ids as rows of one field.
pub(super) fn ids(ids: impl IntoIterator<Item = Uuid>) -> Value {
    let ids: Vec<[Uuid; 1]> = ids.into_iter().map(|id| [id]).collect();
    rows(&ids)
}

/// The ids in a text of 32 hexadecimal digits each.
pub(super) fn unpacked(ids: &str) -> impl Iterator<Item = Result<Uuid, StoreError>> {
    let broken = |_| StoreError::damaged("a packed id is not 32 hexadecimal digits");
    ids.as_bytes().chunks(32).map(move |id| Uuid::try_parse_ascii(id).map_err(broken))
}

/// An instant as the SQLite driver writes one, so that rows written either way compare as text.
pub(super) fn time(at: Instant) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, false)
}
