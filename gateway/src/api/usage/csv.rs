//! Usage as a table (RFC 4180), which people open with a spreadsheet.
//!
//! A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula, and models are named by strangers. Such a
//! text gets an apostrophe in front, as OWASP advises, and every text is quoted.

use std::fmt::Write as _;

use peerway_openapi::statement::UsageRow;

const HEAD: &str = "day,key,model,requests,prompt_tokens,cached_tokens,completion_tokens,cost_nano_usd\r\n";

pub(super) fn write(rows: &[UsageRow]) -> String {
    let mut table = HEAD.to_owned();
    for row in rows {
        let UsageRow {
            day,
            key,
            model,
            requests,
            prompt_tokens,
            cached_tokens,
            completion_tokens,
            cost: _,
            cost_nano_usd,
        } = row;
        let (key, model) = (cell(key.as_deref().unwrap_or_default()), cell(model));
        // Writing into a string cannot fail.
        let _ = write!(
            table,
            "{day},{key},{model},{requests},{prompt_tokens},{cached_tokens},{completion_tokens},{cost_nano_usd}\r\n"
        );
    }
    table
}

/// A text as a cell that is read as text.
fn cell(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_never_a_formula() {
        for (text, expected) in [
            ("smol", "\"smol\""),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("=HYPERLINK(\"http://x\")", "\"'=HYPERLINK(\"\"http://x\"\")\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\t=1", "\"'\t=1\""),
            ("", "\"\""),
        ] {
            assert_eq!(cell(text), expected);
        }
    }

    #[test]
    fn a_row_has_as_many_cells_as_the_head() {
        let row = UsageRow {
            day: "2026-11-24".to_owned(),
            key: None,
            model: "m".to_owned(),
            requests: 2,
            prompt_tokens: 30,
            cached_tokens: 4,
            completion_tokens: 5,
            cost: 0.000_000_007,
            cost_nano_usd: 7,
        };
        assert_eq!(write(&[row]), format!("{HEAD}2026-11-24,\"\",\"m\",2,30,4,5,7\r\n"));
    }
}
