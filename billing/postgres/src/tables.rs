//! The columns of every table, said once: each macro is a `SELECT` of one table's rows that ends as it is told.

macro_rules! accounts {
    ($rest:literal $(, $bind:expr)* $(,)?) => {
        sqlx::query_as!(
            peerway_billing_store::AccountRow,
            r#"SELECT id, kind, name, frozen, created_at,
                      balance, held, disputes
               FROM accounts "# + $rest
            $(, $bind)*
        )
    };
}

macro_rules! holds {
    ($rest:literal $(, $bind:expr)* $(,)?) => {
        sqlx::query_as!(
            peerway_billing_store::HoldRow,
            r#"SELECT id, account, amount, captured, state,
                      expires_at, owner, created_at, seal
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
            r#"SELECT id, account, name, prefix, sha256, created_at, revoked_at, policy, replaced_by, root
               FROM keys "# + $rest
            $(, $bind)*
        )
    };
}

macro_rules! members {
    ($rest:literal $(, $bind:expr)* $(,)?) => {
        sqlx::query_as!(
            peerway_billing_store::MemberRow,
            r#"SELECT account, subject, role, name, created_at FROM members "# + $rest
            $(, $bind)*
        )
    };
}

macro_rules! transfers {
    ($rest:literal $(, $bind:expr)* $(,)?) => {
        sqlx::query_as!(
            peerway_billing_store::TransferRow,
            r#"SELECT seq, kind, reference, memo, created_at, prev_hash, hash, audit_account, audit
               FROM transfers "# + $rest
            $(, $bind)*
        )
    };
}

macro_rules! entries {
    ($rest:literal $(, $bind:expr)* $(,)?) => {
        sqlx::query_as!(
            peerway_billing_store::EntryRow,
            r#"SELECT transfer, line, account, amount FROM entries "# + $rest
            $(, $bind)*
        )
    };
}

macro_rules! charges {
    ($rest:literal $(, $bind:expr)* $(,)?) => {
        sqlx::query_as!(
            peerway_billing_store::ChargeRow,
            r#"SELECT request_id, transfer, hold, late, account, key_id, node, operator, model,
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
            r#"SELECT transfer, part, node, operator, price_input, price_cached, price_output,
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
            r#"SELECT account, day, key, model, requests,
                      prompt, cached, completion, total
               FROM usage_days "# + $rest
            $(, $bind)*
        )
    };
}

macro_rules! checkpoints {
    ($rest:literal $(, $bind:expr)* $(,)?) => {
        sqlx::query_as!(
            peerway_billing_store::CheckpointRow,
            r#"SELECT seq, hash, root, at, key, signature FROM checkpoints "# + $rest
            $(, $bind)*
        )
    };
}

macro_rules! nodes {
    ($rest:literal $(, $bind:expr)* $(,)?) => {
        sqlx::query_as!(
            peerway_billing_store::NodeRow,
            r#"SELECT level, place, hash FROM merkle_nodes "# + $rest
            $(, $bind)*
        )
    };
}

macro_rules! hooks {
    ($rest:literal $(, $bind:expr)* $(,)?) => {
        sqlx::query_as!(
            peerway_billing_store::HookRow,
            r#"SELECT account, url, secret, budgets,
                      created_at
               FROM alert_hooks "# + $rest
            $(, $bind)*
        )
    };
}

macro_rules! alerts {
    ($rest:literal $(, $bind:expr)* $(,)?) => {
        sqlx::query_as!(
            peerway_billing_store::AlertRow,
            r#"SELECT id, account, scope, span, since,
                      level, budget, spent, created_at,
                      state, attempts, next_at, seal
               FROM alerts "# + $rest
            $(, $bind)*
        )
    };
}

macro_rules! shares {
    ($rest:literal $(, $bind:expr)* $(,)?) => {
        sqlx::query_as!(
            peerway_billing_store::ShareRow,
            r#"SELECT scope, owner, amount, expires_at, seal FROM budget_shares "# + $rest
            $(, $bind)*
        )
    };
}

pub(crate) use {
    accounts, alerts, charges, checkpoints, days, entries, holds, hooks, keys, members, nodes, owners, parts, shares,
    transfers,
};
