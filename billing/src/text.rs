//! Free text that ends up in the ledger and in logs.

use crate::error::LedgerError;

/// The longest name of an account or key, in bytes.
pub(crate) const NAME_BYTES: usize = 200;
/// The longest memo, in bytes.
pub(crate) const MEMO_BYTES: usize = 1024;

/// The text if a person could have meant it: not longer than `most` bytes and without control characters.
pub(crate) fn checked(what: &'static str, text: &str, most: usize) -> Result<String, LedgerError> {
    if text.len() > most {
        return Err(LedgerError::invalid(format!("the {what} has {} bytes; at most {most} are kept", text.len())));
    }
    if text.chars().any(char::is_control) {
        return Err(LedgerError::invalid(format!("the {what} contains a control character")));
    }
    Ok(text.to_owned())
}

/// The text made fit: control characters become spaces, and what is longer than a name is cut.
pub(crate) fn cleaned(text: &str) -> String {
    let mut clean = String::with_capacity(text.len().min(NAME_BYTES));
    for letter in text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }) {
        if clean.len() + letter.len_utf8() > NAME_BYTES {
            break;
        }
        clean.push(letter);
    }
    clean
}
