//! Compares the schema with what it was made as: a trigger that was dropped or switched off is found before anything is
//! read through the tables.
//!
//! `schema.txt` is what `schema.sql` finds in a new database; `.ci/statements` writes it. Rejected: a second, fresh schema
//! to compare with, as in SQLite. Whoever only checks a ledger need not be allowed to make tables.

use sqlx::PgConnection;

/// Kind, name and definition of everything, a line each, in order.
const EXPECTED: &str = include_str!("schema.txt");

/// One thing in the schema.
struct Definition {
    kind: String,
    name: String,
    definition: String,
}

impl Definition {
    fn line(&self) -> String {
        let Self { kind, name, definition } = self;
        format!("{kind}|{name}|{definition}")
    }
}

/// The name of the first thing that is missing or was changed, or that should not be there.
pub(crate) async fn odd(connection: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    let found = sqlx::query_file_as!(Definition, "src/schema.sql").fetch_all(connection).await?;
    let found: Vec<String> = found.iter().map(Definition::line).collect();
    let expected: Vec<&str> = EXPECTED.lines().collect();
    let missing = expected.iter().find(|line| !found.iter().any(|other| other == *line)).copied();
    let odd = missing.or_else(|| found.iter().map(String::as_str).find(|line| !expected.contains(line)));
    Ok(odd.and_then(|line| line.split('|').nth(1)).map(|name| name.escape_debug().to_string()))
}
