//! What callers see of keys, people and changes.

use peerway_billing as billing;
use peerway_billing::{BudgetLimits, KeyRecord, KeyUsage, Nanos, Timestamp};
use peerway_openapi::admin::{AuditEntry, Key, KeyBudgets, KeyLimits, KeySpent, Member};

/// A key, without its secret.
pub(super) fn key(record: &KeyRecord, usage: &KeyUsage, now: Timestamp) -> Key {
    let policy = &record.policy;
    let (budgets, limits) = (&policy.budgets, &policy.limits);
    Key {
        object: "key".to_owned(),
        id: record.id.to_string(),
        name: record.name.clone(),
        prefix: record.prefix.clone(),
        account: record.account.to_string(),
        scopes: policy.scopes.iter().map(ToString::to_string).collect(),
        models: policy.models.clone(),
        allowed_ips: policy.allowed_ips.as_ref().map(|all| all.iter().map(ToString::to_string).collect()),
        budgets: self::budgets(budgets),
        limits: KeyLimits {
            requests_per_minute: limits.requests_per_minute,
            tokens_per_minute: limits.tokens_per_minute,
            concurrent: limits.concurrent,
        },
        expires_at: policy.expires_at.map(Timestamp::as_secs),
        created_at: record.created_at.as_secs(),
        revoked_at: record.revoked_at.map(Timestamp::as_secs),
        replaced_by: record.replaced_by.as_ref().map(ToString::to_string),
        state: record.state(now).to_string(),
        usage: KeySpent {
            total: usage.total.to_usd_f64(),
            day: usage.day.to_usd_f64(),
            week: usage.week.to_usd_f64(),
            month: usage.month.to_usd_f64(),
            requests: usage.requests,
        },
        secret: None,
    }
}

/// US dollars as a decimal string, exact and as it can be given back: `12.50`.
fn usd(amount: Nanos) -> String {
    amount.to_string().replacen('$', "", 1)
}

pub(super) fn member(member: &billing::Member) -> Member {
    Member {
        object: "member".to_owned(),
        subject: member.subject.to_string(),
        account: member.account.to_string(),
        role: member.role.to_string(),
        name: member.name.clone(),
        created_at: member.created_at.as_secs(),
    }
}

/// Budgets in dollars.
pub(super) fn budgets(budgets: &BudgetLimits) -> KeyBudgets {
    let usd = |limit: Option<Nanos>| limit.map(usd);
    KeyBudgets {
        day: usd(budgets.day),
        week: usd(budgets.week),
        month: usd(budgets.month),
        lifetime: usd(budgets.lifetime),
    }
}

pub(super) fn audit_entry(entry: billing::AuditEntry) -> AuditEntry {
    AuditEntry {
        object: "audit.entry".to_owned(),
        id: entry.seq.to_string(),
        account: entry.account.to_string(),
        created_at: entry.at.as_secs(),
        actor: entry.actor.to_string(),
        action: entry.action.to_string(),
        target: entry.target,
        detail: entry.detail,
    }
}
