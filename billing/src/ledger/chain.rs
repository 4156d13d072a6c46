//! The hash chain: every transfer carries the SHA-256 of itself and of the one before.
//!
//! The bytes that are hashed are canonical: a fixed order of fields, each with its length in front (so that no
//! two different rows have the same bytes), numbers as eight little-endian bytes, `NULL` as a length of
//! `u64::MAX`. Columns of later schemas follow at the end, named, and only where they are not `NULL`: rows of the first
//! schema keep their hashes. A textual form such as JSON was rejected: it has many spellings of one value.

use sha2::{Digest, Sha256};

use super::rows::{ChargeRow, EntryRow, PartRow, TransferRow};

/// What the first transfer is chained to.
pub(crate) const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Keeps hashes of this chain apart from hashes of anything else.
const DOMAIN: &str = "peerway ledger 1";

/// Fields on their way into a hash, one spelling each.
pub(crate) struct Canonical(Sha256);

impl Canonical {
    pub(crate) fn new(domain: &str) -> Self {
        let mut canonical = Self(Sha256::new());
        canonical.text(domain);
        canonical
    }

    pub(crate) fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(crate) fn number(&mut self, number: i64) {
        self.bytes(&number.to_le_bytes());
    }

    /// A column of a later schema.
    fn added(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name);
            self.text(text);
        }
    }

    fn optional(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.0.update(u64::MAX.to_le_bytes()),
        }
    }
}

/// The hash that belongs into `transfer.hash`; that field itself is not looked at.
pub(crate) fn link(
    transfer: &TransferRow,
    entries: &[EntryRow],
    charge: Option<&ChargeRow>,
    parts: &[PartRow],
) -> String {
    let TransferRow { seq, kind, reference, memo, created_at, prev_hash, hash: _, audit_account, audit } = transfer;
    let mut canonical = Canonical::new(DOMAIN);
    canonical.text(prev_hash);
    canonical.number(*seq);
    canonical.text(kind);
    canonical.text(reference);
    canonical.text(memo);
    canonical.number(*created_at);
    canonical.number(i64::try_from(entries.len()).unwrap_or(i64::MAX));
    for EntryRow { transfer, line, account, amount } in entries {
        canonical.number(*transfer);
        canonical.number(*line);
        canonical.text(account);
        canonical.number(*amount);
    }
    canonical.number(i64::from(charge.is_some()));
    if let Some(charge) = charge {
        add_charge(&mut canonical, charge);
    }
    canonical.added("audit_account", audit_account.as_deref());
    canonical.added("audit", audit.as_deref());
    add_parts(&mut canonical, parts);
    hex::encode(canonical.finish())
}

/// Every column: a new one does not compile before it has its place here.
fn add_charge(canonical: &mut Canonical, charge: &ChargeRow) {
    let ChargeRow {
        request_id,
        transfer,
        hold,
        late,
        account,
        key_id,
        node,
        operator,
        model,
        price_input,
        price_cached,
        price_output,
        fee_bps,
        prompt,
        cached,
        completion,
        claimed_prompt,
        claimed_cached,
        claimed_completion,
        total,
        earned,
        fee,
        shortfall,
        outcome,
        created_at,
        token_id,
    } = charge;
    for text in [request_id, hold, account, node, operator, model, outcome] {
        canonical.text(text);
    }
    canonical.optional(key_id.as_deref());
    let numbers = [
        transfer,
        late,
        price_input,
        price_cached,
        price_output,
        fee_bps,
        prompt,
        cached,
        completion,
        claimed_prompt,
        claimed_cached,
        claimed_completion,
        total,
        earned,
        fee,
        shortfall,
        created_at,
    ];
    for number in numbers {
        canonical.number(*number);
    }
    canonical.added("token_id", token_id.as_deref());
}

/// The parts of a charge, as a column of a later schema: only where there are any.
fn add_parts(canonical: &mut Canonical, parts: &[PartRow]) {
    if parts.is_empty() {
        return;
    }
    canonical.text("parts");
    canonical.number(i64::try_from(parts.len()).unwrap_or(i64::MAX));
    for row in parts {
        let PartRow {
            transfer,
            part,
            node,
            operator,
            price_input,
            price_cached,
            price_output,
            prompt,
            cached,
            completion,
            claimed_prompt,
            claimed_cached,
            claimed_completion,
            earned,
        } = row;
        canonical.text(node);
        canonical.text(operator);
        let numbers = [
            transfer,
            part,
            price_input,
            price_cached,
            price_output,
            prompt,
            cached,
            completion,
            claimed_prompt,
            claimed_cached,
            claimed_completion,
            earned,
        ];
        for number in numbers {
            canonical.number(*number);
        }
    }
}
