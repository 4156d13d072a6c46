//! Which database keeps a ledger.

use std::path::PathBuf;
use std::str::FromStr;

use peerway_billing_postgres::Address;
use peerway_billing_store::OpenError;
use serde::Deserialize;

/// A database, as an operator names it: `sqlite:PATH` or `postgres://user:password@host:port/database`. What is shown of
/// it, in whatever way, is without user and password.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub enum Database {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL database.
    Postgres(Box<Address>),
}

/// A text that names no database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseError {
    /// It does not begin as it must.
    #[error("a database is sqlite:PATH or postgres://user:password@host:5432/database, and this is neither")]
    Unknown,
    /// No file is named.
    #[error("sqlite: needs the path of a file, as in sqlite:/var/lib/peerway/ledger.sqlite")]
    NoPath,
    /// The rest of it is wrong.
    #[error(transparent)]
    Unreadable(#[from] OpenError),
}

impl FromStr for Database {
    type Err = DatabaseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("sqlite", path)) => match path.strip_prefix("//").unwrap_or(path) {
                "" => Err(DatabaseError::NoPath),
                path => Ok(Self::Sqlite(PathBuf::from(path))),
            },
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(Box::new(Address::of(text)?))),
            // Not repeated: there may be a password in it.
            _ => Err(DatabaseError::Unknown),
        }
    }
}

impl TryFrom<String> for Database {
    type Error = DatabaseError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl std::fmt::Display for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(address) => f.write_str(address.place()),
        }
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        text.parse::<Database>().map_or_else(|error| error.to_string(), |database| format!("{database:?}"))
    }

    #[test]
    fn databases_are_named_by_url() {
        assert_eq!(shown("sqlite:ledger.db"), "sqlite:ledger.db");
        assert_eq!(shown("sqlite:///var/ledger.db"), "sqlite:/var/ledger.db");
        assert_eq!(shown("postgres://me:hunter2@db/money"), "postgres://db:5432/money");
        assert!(shown("sqlite:").contains("needs the path"));
    }

    #[test]
    fn no_password_is_repeated() {
        for text in
            ["mysql://me:hunter2@db/money", "postgres://me:hunter2@db:x/money", "hunter2", "me hunter2 and more"]
        {
            let shown = shown(text);
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(shown.contains("postgres://user:password@host:5432/database"), "{shown}");
        }
    }
}
