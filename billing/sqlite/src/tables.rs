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

macro_rules! owners {
    ($rest:literal $(, $bind:expr)* $(,)?) => {
        sqlx::query_as!(
            peerway_billing_store::OwnerRow,
            r#"SELECT owner, epoch, taken_at FROM owners "# + $rest
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

macro_rules! days {
    ($rest:literal $(, $bind:expr)* $(,)?) => {
        sqlx::query_as!(
            peerway_billing_store::DayRow,
            r#"SELECT account AS "account!", day AS "day!", key AS "key!", model AS "model!", requests AS "requests!",
                      prompt AS "prompt!", cached AS "cached!", completion AS "completion!", total AS "total!"
               FROM usage_days "# + $rest
            $(, $bind)*
        )
    };
}

macro_rules! checkpoints {
    ($rest:literal $(, $bind:expr)* $(,)?) => {
        sqlx::query_as!(
            peerway_billing_store::CheckpointRow,
            r#"SELECT seq AS "seq!", hash, root, at, key, signature FROM checkpoints "# + $rest
            $(, $bind)*
        )
    };
}

macro_rules! nodes {
    ($rest:literal $(, $bind:expr)* $(,)?) => {
        sqlx::query_as!(
            peerway_billing_store::NodeRow,
            r#"SELECT level AS "level!", place AS "place!", hash AS "hash!" FROM merkle_nodes "# + $rest
            $(, $bind)*
        )
    };
}

macro_rules! hooks {
    ($rest:literal $(, $bind:expr)* $(,)?) => {
        sqlx::query_as!(
            peerway_billing_store::HookRow,
            r#"SELECT account AS "account!", url AS "url!", secret AS "secret!", budgets AS "budgets!",
                      created_at AS "created_at!"
               FROM alert_hooks "# + $rest
            $(, $bind)*
        )
    };
}

macro_rules! alerts {
    ($rest:literal $(, $bind:expr)* $(,)?) => {
        sqlx::query_as!(
            peerway_billing_store::AlertRow,
            r#"SELECT id AS "id!", account AS "account!", scope AS "scope!", span AS "span!", since AS "since!",
                      level AS "level!", budget AS "budget!", spent AS "spent!", created_at AS "created_at!",
                      state AS "state!", attempts AS "attempts!", next_at AS "next_at!", seal AS "seal!"
               FROM alerts "# + $rest
            $(, $bind)*
        )
    };
}

macro_rules! shares {
    ($rest:literal $(, $bind:expr)* $(,)?) => {
        sqlx::query_as!(
            peerway_billing_store::ShareRow,
            r#"SELECT scope AS "scope!", owner AS "owner!", amount, expires_at, seal FROM budget_shares "# + $rest
            $(, $bind)*
        )
    };
}

pub(crate) use {
    accounts, alerts, charges, checkpoints, days, entries, holds, hooks, keys, members, nodes, owners, parts, shares,
    transfers,
};
