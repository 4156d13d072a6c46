//! What is kept of payments. Each change is one statement in a transaction of its own.

use async_trait::async_trait;
use peerway_billing_store::{EventRow, PaymentRecords, PaymentRow, RefundRow, StoreError, TopUpRow};

use crate::PostgresStore;
use crate::error::answer;

macro_rules! events {
    ($rest:literal $(, $bind:expr)* $(,)?) => {
        sqlx::query_as!(
            EventRow,
            r#"SELECT id, kind, body, received_at, state, tries, due_at, problem FROM payment_events "# + $rest
            $(, $bind)*
        )
    };
}

macro_rules! payments {
    ($rest:literal $(, $bind:expr)* $(,)?) => {
        sqlx::query_as!(
            PaymentRow,
            r#"SELECT id, account, kind, cents, state, session,
                      intent, created_at, changed_at, card, country,
                      declines, last_try, back_cents, mark, score,
                      reasons
               FROM payments "# + $rest
            $(, $bind)*
        )
    };
}

macro_rules! refunds {
    ($rest:literal $(, $bind:expr)* $(,)?) => {
        sqlx::query_as!(
            RefundRow,
            r#"SELECT id, account, payment, cents,
                      charge_cents, state, refund, created_at,
                      changed_at, problem
               FROM refunds "# + $rest
            $(, $bind)*
        )
    };
}

macro_rules! top_ups {
    ($rest:literal $(, $bind:expr)* $(,)?) => {
        sqlx::query_as!(
            TopUpRow,
            r#"SELECT t.account, t.enabled, t.threshold, t.cents,
                      t.monthly_cents, t.declines, t.not_before,
                      t.under_way, t.problem, t.changed_at
               FROM top_ups t "# + $rest
            $(, $bind)*
        )
    };
}

/// Runs one statement beside the ledger's writer, and says how many rows it changed.
macro_rules! change {
    ($store:expr, $statement:literal $(, $bind:expr)* $(,)?) => {
        answer(sqlx::query!($statement $(, $bind)*).execute(&$store.records)).await?.rows_affected()
    };
}

#[async_trait]
impl PaymentRecords for PostgresStore {
    async fn keep_event(&self, event: &EventRow) -> Result<bool, StoreError> {
        let EventRow { id, kind, body, received_at, state, tries, due_at, problem } = event;
        let kept = change!(
            self,
            "INSERT INTO payment_events (id, kind, body, received_at, state, tries, due_at, problem)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING",
            id,
            kind,
            body,
            received_at,
            state,
            tries,
            due_at,
            problem.as_deref()
        );
        Ok(kept > 0)
    }

    async fn events_due(&self, now: i64, limit: i64) -> Result<Vec<EventRow>, StoreError> {
        let due = events!("WHERE state = 'new' AND due_at <= $1 ORDER BY due_at, received_at LIMIT $2", now, limit);
        answer(due.fetch_all(&self.readers)).await
    }

    async fn change_event(&self, event: &EventRow) -> Result<bool, StoreError> {
        let EventRow { id, state, tries, due_at, problem, .. } = event;
        let changed = change!(
            self,
            "UPDATE payment_events SET state = $2, tries = $3, due_at = $4, problem = $5 WHERE id = $1",
            id,
            state,
            tries,
            due_at,
            problem.as_deref()
        );
        Ok(changed > 0)
    }

    async fn forget_events(&self, before: i64, limit: i64) -> Result<u64, StoreError> {
        Ok(change!(
            self,
            "DELETE FROM payment_events WHERE id IN
             (SELECT id FROM payment_events WHERE state = 'done' AND received_at < $1 ORDER BY received_at LIMIT $2)",
            before,
            limit
        ))
    }

    async fn customer(&self, account: &str) -> Result<Option<String>, StoreError> {
        let found = sqlx::query_scalar!("SELECT customer FROM payment_customers WHERE account = $1", account);
        answer(found.fetch_optional(&self.readers)).await
    }

    async fn customers_account(&self, customer: &str) -> Result<Option<String>, StoreError> {
        let found = sqlx::query_scalar!(r#"SELECT account FROM payment_customers WHERE customer = $1"#, customer);
        answer(found.fetch_optional(&self.readers)).await
    }

    async fn keep_customer(&self, account: &str, customer: &str, now: i64) -> Result<bool, StoreError> {
        let kept = change!(
            self,
            "INSERT INTO payment_customers (account, customer, created_at) VALUES ($1, $2, $3)
             ON CONFLICT (account) DO NOTHING",
            account,
            customer,
            now
        );
        Ok(kept > 0)
    }

    async fn open_payment(&self, payment: &PaymentRow) -> Result<bool, StoreError> {
        let PaymentRow { id, account, kind, cents, state, session, intent, created_at, changed_at, .. } = payment;
        let kept = change!(
            self,
            "INSERT INTO payments (id, account, kind, cents, state, session, intent, created_at, changed_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING",
            id,
            account,
            kind,
            cents,
            state,
            session.as_deref(),
            intent.as_deref(),
            created_at,
            changed_at
        );
        Ok(kept > 0)
    }

    async fn change_payment(&self, payment: &PaymentRow, was: &str) -> Result<bool, StoreError> {
        let PaymentRow { id, state, session, intent, changed_at, card, country, declines, last_try, .. } = payment;
        let PaymentRow { back_cents, mark, score, reasons, .. } = payment;
        let changed = change!(
            self,
            "UPDATE payments SET state = $3, session = $4, intent = $5, changed_at = $6, card = $7, country = $8,
                    declines = $9, last_try = $10, back_cents = $11, mark = $12, score = $13, reasons = $14
             WHERE id = $1 AND state = $2",
            id,
            was,
            state,
            session.as_deref(),
            intent.as_deref(),
            changed_at,
            card.as_deref(),
            country.as_deref(),
            declines,
            last_try.as_deref(),
            back_cents,
            mark.as_deref(),
            score,
            reasons
        );
        Ok(changed > 0)
    }

    async fn payment(&self, id: &str) -> Result<Option<PaymentRow>, StoreError> {
        answer(payments!("WHERE id = $1", id).fetch_optional(&self.readers)).await
    }

    async fn payment_by_intent(&self, intent: &str) -> Result<Option<PaymentRow>, StoreError> {
        answer(payments!("WHERE intent = $1", intent).fetch_optional(&self.readers)).await
    }

    async fn payments(&self, account: &str, limit: i64) -> Result<Vec<PaymentRow>, StoreError> {
        let found = payments!("WHERE account = $1 ORDER BY created_at DESC, id DESC LIMIT $2", account, limit);
        answer(found.fetch_all(&self.readers)).await
    }

    async fn payments_in(&self, state: &str, changed_before: i64, limit: i64) -> Result<Vec<PaymentRow>, StoreError> {
        let found = payments!(
            "WHERE state = $1 AND changed_at < $2 ORDER BY changed_at LIMIT $3",
            state,
            changed_before,
            limit
        );
        answer(found.fetch_all(&self.readers)).await
    }

    async fn strangers_with_card(&self, card: &str, account: &str) -> Result<i64, StoreError> {
        let found = sqlx::query_scalar!(
            r#"SELECT COUNT(DISTINCT account) AS "strangers!" FROM payments WHERE card = $1 AND account <> $2"#,
            card,
            account
        );
        answer(found.fetch_one(&self.readers)).await
    }

    async fn open_refund(&self, refund: &RefundRow) -> Result<bool, StoreError> {
        let RefundRow { id, account, payment, cents, charge_cents, state, created_at, changed_at, .. } = refund;
        let kept = change!(
            self,
            "INSERT INTO refunds (id, account, payment, cents, charge_cents, state, created_at, changed_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING",
            id,
            account,
            payment,
            cents,
            charge_cents,
            state,
            created_at,
            changed_at
        );
        Ok(kept > 0)
    }

    async fn change_refund(&self, refund: &RefundRow, was: &str) -> Result<bool, StoreError> {
        let RefundRow { id, state, refund, changed_at, problem, .. } = refund;
        let changed = change!(
            self,
            "UPDATE refunds SET state = $3, refund = $4, changed_at = $5, problem = $6 WHERE id = $1 AND state = $2",
            id,
            was,
            state,
            refund.as_deref(),
            changed_at,
            problem.as_deref()
        );
        Ok(changed > 0)
    }

    async fn refund(&self, id: &str) -> Result<Option<RefundRow>, StoreError> {
        answer(refunds!("WHERE id = $1", id).fetch_optional(&self.readers)).await
    }

    async fn refunds(&self, account: &str, limit: i64) -> Result<Vec<RefundRow>, StoreError> {
        let found = refunds!("WHERE account = $1 ORDER BY created_at DESC, id DESC LIMIT $2", account, limit);
        answer(found.fetch_all(&self.readers)).await
    }

    async fn refunds_in(&self, state: &str, changed_before: i64, limit: i64) -> Result<Vec<RefundRow>, StoreError> {
        let found =
            refunds!("WHERE state = $1 AND changed_at < $2 ORDER BY changed_at LIMIT $3", state, changed_before, limit);
        answer(found.fetch_all(&self.readers)).await
    }

    async fn top_up(&self, account: &str) -> Result<Option<TopUpRow>, StoreError> {
        answer(top_ups!("WHERE t.account = $1", account).fetch_optional(&self.readers)).await
    }

    async fn set_top_up(&self, top_up: &TopUpRow) -> Result<(), StoreError> {
        let TopUpRow { account, enabled, threshold, cents, monthly_cents, changed_at, .. } = top_up;
        change!(
            self,
            "INSERT INTO top_ups (account, enabled, threshold, cents, monthly_cents, changed_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (account) DO UPDATE SET enabled = $2, threshold = $3, cents = $4, monthly_cents = $5,
                         declines = 0, not_before = 0, problem = NULL, changed_at = $6",
            account,
            enabled,
            threshold,
            cents,
            monthly_cents,
            changed_at
        );
        Ok(())
    }

    async fn top_ups_due(&self, now: i64, limit: i64) -> Result<Vec<TopUpRow>, StoreError> {
        let due = top_ups!(
            "JOIN accounts a ON a.id = t.account
             WHERE t.enabled = 1 AND t.not_before <= $1 AND t.under_way IS NULL AND a.balance < t.threshold
               AND a.frozen = 0 AND a.disputes = 0
             ORDER BY t.not_before LIMIT $2",
            now,
            limit
        );
        answer(due.fetch_all(&self.readers)).await
    }

    async fn claim_top_up(&self, account: &str, payment: &str, now: i64) -> Result<bool, StoreError> {
        let claimed = change!(
            self,
            "UPDATE top_ups SET under_way = $2, changed_at = $3
             WHERE account = $1 AND enabled = 1 AND under_way IS NULL AND not_before <= $3",
            account,
            payment,
            now
        );
        Ok(claimed > 0)
    }

    async fn end_top_up(&self, top_up: &TopUpRow, payment: &str) -> Result<bool, StoreError> {
        let TopUpRow { account, enabled, declines, not_before, problem, changed_at, .. } = top_up;
        let ended = change!(
            self,
            "UPDATE top_ups SET under_way = NULL, enabled = LEAST(enabled, $3), declines = $4, not_before = $5,
                    problem = $6, changed_at = $7
             WHERE account = $1 AND under_way = $2",
            account,
            payment,
            enabled,
            declines,
            not_before,
            problem.as_deref(),
            changed_at
        );
        Ok(ended > 0)
    }

    async fn top_ups_under_way(&self, before: i64, limit: i64) -> Result<Vec<TopUpRow>, StoreError> {
        let found = top_ups!(
            "WHERE t.under_way IS NOT NULL AND t.changed_at < $1 ORDER BY t.changed_at LIMIT $2",
            before,
            limit
        );
        answer(found.fetch_all(&self.readers)).await
    }
}
