//! Endpoints for those who decide who may call, and for what a caller may know of itself.

use utoipa::openapi::Type;
use utoipa::openapi::path::HttpMethod::{Delete, Get, Patch, Post, Put};

use super::endpoint::{Endpoint, KNOWN, LOOKED_FOR, endpoint, under};
use crate::account::{Credits, Data, Generation, KeyInfo};
use crate::admin::{
    AlertHook, AlertHookRequest, AuditEntry, Deleted, Key, KeyRequest, Member, MemberRequest, Page, RotateRequest,
    Token, TokenRequest,
};
use crate::statement::{Checkpoint, LedgerProof, UsageRow};

const ALERTS: &str = "/v1/admin/alerts";
const KEY: &str = "/v1/admin/keys/{key_id}";
const KEY_ID: &str = "The key's id, `key_…`.";
const MEMBER: &str = "/v1/admin/members/{subject}";
const SUBJECT: &str = "The member as its identity provider names it, `issuer|subject`, percent-encoded.";

pub(super) fn endpoints() -> Vec<Endpoint> {
    let (own, keys, members) = (under("Account", own()), under("Keys", keys()), under("Members and audit", members()));
    let alerts = under("Alerts", alerts());
    [own, keys, members, alerts].into_iter().flatten().collect()
}

fn own() -> Vec<Endpoint> {
    vec![
        endpoint(Post, "/v1/auth/tokens", "mintToken", "A short-lived token for a browser or a phone")
            .about("Made by a key, which it can do no more than. A token cannot make another.")
            .takes::<TokenRequest>()
            .gives::<Token>(201, "The token, shown this once")
            .refuses(KNOWN)
            .done(),
        endpoint(Get, "/v1/credits", "getCredits", "Credit bought and used by the account")
            .about("Needs the scope `usage:read`.")
            .gives_as::<Data<Credits>, Credits>("CreditsData", "Both, in USD")
            .refuses(KNOWN)
            .done(),
        endpoint(Get, "/v1/key", "getKey", "What the key that asks may do, and has done")
            .about("Needs the scope `usage:read`.")
            .gives_as::<Data<KeyInfo>, KeyInfo>("KeyInfoData", "The key")
            .refuses(KNOWN)
            .done(),
        endpoint(Get, "/v1/generation", "getGeneration", "What one request consumed")
            .about("Needs the scope `usage:read`.")
            .asks("id", "The request's id, or that of its answer.")
            .gives_as::<Data<Generation>, Generation>("GenerationData", "Tokens, cost, and who served")
            .refuses(LOOKED_FOR)
            .done(),
        endpoint(Get, "/v1/usage", "listUsage", "What the account spent, by day, key and model")
            .about(
                "Needs the scope `usage:read`. With `Accept: text/csv` or `format=csv` a table, whose next page begins \
                 after what the header `x-peerway-after` says.",
            )
            .query("from", Type::String, "The first day in UTC, such as 2026-11-24 [default: 30 days up to `to`].")
            .query("to", Type::String, "The last day in UTC [default: today].")
            .query("key", Type::String, "One key alone.")
            .query("model", Type::String, "One model alone.")
            .query("after", Type::String, "The `last_id` of the page before.")
            .query("limit", Type::Integer, "Rows, 1 to 1000.")
            .query("format", Type::String, "`json` or `csv`.")
            .gives_as::<Page<UsageRow>, UsageRow>("UsagePage", "The rows of one page")
            .refuses(KNOWN)
            .done(),
        endpoint(Get, "/v1/ledger/checkpoint", "getCheckpoint", "How far the ledger had come, signed by its owner")
            .about("Keep one, and nobody can rewrite what was before it without your seeing it.")
            .gives::<Checkpoint>(200, "The newest checkpoint")
            .refuses(LOOKED_FOR)
            .done(),
        endpoint(
            Get,
            "/v1/ledger/proof",
            "getProof",
            "The proof that a request of yours is in the ledger as it was charged",
        )
        .about("Needs the scope `usage:read`. `peerway ledger check-proof` checks it without asking anybody.")
        .asks("request", "The request's id, or that of its answer.")
        .gives::<LedgerProof>(200, "The proof")
        .refuses(LOOKED_FOR)
        .done(),
    ]
}

fn page(endpoint: super::endpoint::Description) -> super::endpoint::Description {
    endpoint.query("after", Type::String, "The `last_id` of the page before.").query(
        "limit",
        Type::Integer,
        "Entries, 1 to 1000.",
    )
}

fn keys() -> Vec<Endpoint> {
    vec![
        endpoint(Post, "/v1/admin/keys", "createKey", "Make a key")
            .about("Needs `keys:write`. A key cannot make one that may do more than itself.")
            .takes::<KeyRequest>()
            .gives::<Key>(201, "The key, with its secret, shown this once")
            .refuses(KNOWN)
            .done(),
        page(endpoint(Get, "/v1/admin/keys", "listKeys", "The account's keys"))
            .about("Needs `keys:read`.")
            .gives_as::<Page<Key>, Key>("KeyPage", "The keys")
            .refuses(KNOWN)
            .done(),
        endpoint(Get, KEY, "showKey", "One key")
            .part("key_id", KEY_ID)
            .gives::<Key>(200, "The key")
            .refuses(LOOKED_FOR)
            .done(),
        endpoint(Patch, KEY, "updateKey", "Change a key")
            .about("Needs `keys:write`. What is absent stays; null removes a bound.")
            .part("key_id", KEY_ID)
            .takes::<KeyRequest>()
            .gives::<Key>(200, "The key as it is now")
            .refuses(LOOKED_FOR)
            .done(),
        endpoint(Delete, KEY, "revokeKey", "Stop a key from working, within a second and for good")
            .part("key_id", KEY_ID)
            .gives::<Key>(200, "The key as it is now")
            .refuses(LOOKED_FOR)
            .done(),
        endpoint(Post, "/v1/admin/keys/{key_id}/rotate", "rotateKey", "Put another key in a key's place")
            .about("Needs `keys:write`. Both work for as long as they overlap.")
            .part("key_id", KEY_ID)
            .takes::<RotateRequest>()
            .gives::<Key>(201, "The new key, with its secret, shown this once")
            .refuses(LOOKED_FOR)
            .done(),
    ]
}

fn alerts() -> Vec<Endpoint> {
    vec![
        endpoint(Get, ALERTS, "showAlertHook", "Where the account is told of its budgets")
            .about("Needs `usage:read`.")
            .gives::<AlertHook>(200, "The hook, without its secret")
            .refuses(LOOKED_FOR)
            .done(),
        endpoint(Put, ALERTS, "putAlertHook", "Be told when a budget is being used up")
            .about(
                "Needs `keys:write`. At 50, 75, 90 and 100 % of a budget of a key or of the account, once a window. What is \
                 posted is tried again for about a day until it is taken; the same alert has the same `id`.",
            )
            .takes::<AlertHookRequest>()
            .gives::<AlertHook>(200, "The hook, with a new secret, shown this once")
            .refuses(KNOWN)
            .done(),
        endpoint(Delete, ALERTS, "deleteAlertHook", "Be told no more")
            .about("Needs `keys:write`.")
            .gives::<Deleted>(200, "The hook is gone")
            .refuses(LOOKED_FOR)
            .done(),
    ]
}

fn members() -> Vec<Endpoint> {
    vec![
        page(endpoint(Get, "/v1/admin/members", "listMembers", "Who belongs to the account"))
            .about("Needs `members:read`.")
            .gives_as::<Page<Member>, Member>("MemberPage", "The members")
            .refuses(KNOWN)
            .done(),
        endpoint(Get, MEMBER, "showMember", "One member")
            .part("subject", SUBJECT)
            .gives::<Member>(200, "The member")
            .refuses(LOOKED_FOR)
            .done(),
        endpoint(Put, MEMBER, "putMember", "Add a member, or change one")
            .about("Needs `members:write`. The last owner stays one.")
            .part("subject", SUBJECT)
            .takes::<MemberRequest>()
            .gives::<Member>(200, "The member as it is now")
            .refuses(LOOKED_FOR)
            .done(),
        endpoint(Delete, MEMBER, "removeMember", "Remove a member")
            .part("subject", SUBJECT)
            .gives::<Deleted>(200, "It is gone")
            .refuses(LOOKED_FOR)
            .done(),
        page(endpoint(Get, "/v1/admin/audit", "listAudit", "Who changed what, the newest first"))
            .about("Needs `audit:read`. Every entry is part of the ledger's hash chain.")
            .gives_as::<Page<AuditEntry>, AuditEntry>("AuditPage", "The entries")
            .refuses(KNOWN)
            .done(),
    ]
}
