//! The columns of every table, said once: each macro is a `SELECT` of one table's rows that ends as it is told.
//!
//! `!` marks columns that are never NULL where SQLite itself would allow it.

macro_rules! accounts {
    ($rest:literal $(, $bind:expr)* $(,)?) => {
        sqlx::query_as!(
            peerway_billing_store::AccountRow,
            r#"SELECT id AS "id!", kind AS "kind!", name AS "name!", frozen AS "frozen!", created_at AS "created_at!",
                      balance AS "balance!", held AS "held!", disputes AS "disputes!"
               FROM accounts "# + $rest
            $(, $bind)*
        )
    };
}

macro_rules! holds {
    ($rest:literal $(, $bind:expr)* $(,)?) => {
        sqlx::query_as!(
            peerway_billing_store::HoldRow,
            r#"SELECT id AS "id!", account AS "account!", amount AS "amount!", captured AS "captured!", state AS "state!",
                      expires_at AS "expires_at!", owner AS "owner!", created_at AS "created_at!", seal AS "seal!"
               FROM holds "# + $rest
            $(, $bind)*
        )
    };
}

macro_rules! keys {
    ($rest:literal $(, $bind:expr)* $(,)?) => {
        sqlx::query_as!(
            peerway_billing_store::KeyRow,
            r#"SELECT id AS "id!", account, name, prefix, sha256, created_at, revoked_at, policy, replaced_by, root
               FROM keys "# + $rest
            $(, $bind)*
        )
    };
}

macro_rules! members {
    ($rest:literal $(, $bind:expr)* $(,)?) => {
        sqlx::query_as!(
            peerway_billing_store::MemberRow,
            r#"SELECT account AS "account!", subject AS "subject!", role, name, created_at FROM members "# + $rest
            $(, $bind)*
        )
    };
}

macro_rules! transfers {
    ($rest:literal $(, $bind:expr)* $(,)?) => {
        sqlx::query_as!(
            peerway_billing_store::TransferRow,
            r#"SELECT seq AS "seq!", kind, reference, memo, created_at, prev_hash, hash, audit_account, audit
               FROM transfers "# + $rest
            $(, $bind)*
        )
    };
}

macro_rules! entries {
    ($rest:literal $(, $bind:expr)* $(,)?) => {
        sqlx::query_as!(
            peerway_billing_store::EntryRow,
            r#"SELECT transfer AS "transfer!", line AS "line!", account, amount FROM entries "# + $rest
            $(, $bind)*
        )
    };
}

macro_rules! charges {
    ($rest:literal $(, $bind:expr)* $(,)?) => {
        sqlx::query_as!(
            peerway_billing_store::ChargeRow,
            r#"SELECT request_id AS "request_id!", transfer, hold, late, account, key_id, node, operator, model,
                      price_input, price_cached, price_output, fee_bps, prompt, cached, completion, claimed_prompt,
                      claimed_cached, claimed_completion, total, earned, fee, shortfall, outcome, created_at, token_id
               FROM charges "# + $rest
            $(, $bind)*
        )
    };
}

macro_rules! parts {
    ($rest:literal $(, $bind:expr)* $(,)?) => {
        sqlx::query_as!(
            peerway_billing_store::PartRow,
            r#"SELECT transfer AS "transfer!", part AS "part!", node, operator, price_input, price_cached, price_output,
                      prompt, cached, completion, claimed_prompt, claimed_cached, claimed_completion, earned
               FROM charge_parts "# + $rest
            $(, $bind)*
        )
    };
}

pub(crate) use {accounts, charges, entries, holds, keys, members, parts, transfers};
