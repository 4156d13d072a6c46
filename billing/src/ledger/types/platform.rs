//! The platform's own accounts. Every ledger has all of them, from the scripts that made it.

use crate::id::AccountId;

/// One of them.
pub(crate) struct PlatformAccount {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    /// Whether it may be below zero: money comes from it that it never had.
    pub(crate) may_owe: bool,
}

pub(crate) const FEES: &str = "platform:fees";
pub(crate) const GRANTS: &str = "platform:grants";
pub(crate) const STRIPE: &str = "platform:stripe";
pub(crate) const CHAIN: &str = "platform:chain";
pub(crate) const REFUNDS: &str = "platform:refunds";
pub(crate) const DISPUTES: &str = "platform:disputes";
pub(crate) const FAILOVER: &str = "platform:failover";

/// All of them, with the names that the scripts gave them.
pub(crate) const PLATFORM: [PlatformAccount; 7] = [
    PlatformAccount { id: FEES, name: "fees earned", may_owe: false },
    PlatformAccount { id: GRANTS, name: "credit granted", may_owe: true },
    PlatformAccount { id: STRIPE, name: "payments through Stripe", may_owe: true },
    PlatformAccount { id: CHAIN, name: "payments on chain", may_owe: true },
    PlatformAccount { id: REFUNDS, name: "refunds under way", may_owe: false },
    PlatformAccount { id: DISPUTES, name: "disputed payments", may_owe: false },
    PlatformAccount { id: FAILOVER, name: "work that no customer paid", may_owe: true },
];

impl AccountId {
    /// The platform's earnings.
    #[must_use]
    pub fn platform_fees() -> Self {
        Self::stored(FEES.to_owned())
    }

    /// Where granted credit comes from: below zero by all that was granted.
    #[must_use]
    pub fn platform_grants() -> Self {
        Self::stored(GRANTS.to_owned())
    }

    /// What Stripe took in for us: below zero by that, less what went back.
    #[must_use]
    pub fn platform_stripe() -> Self {
        Self::stored(STRIPE.to_owned())
    }

    /// What came in on chain: below zero by that, less what went back.
    #[must_use]
    pub fn platform_chain() -> Self {
        Self::stored(CHAIN.to_owned())
    }

    /// Refunds that have not ended.
    #[must_use]
    pub fn platform_refunds() -> Self {
        Self::stored(REFUNDS.to_owned())
    }

    /// Disputed payments whose disputes have not ended.
    #[must_use]
    pub fn platform_disputes() -> Self {
        Self::stored(DISPUTES.to_owned())
    }

    /// What the platform bears: below zero by the work that operators did and no customer paid.
    #[must_use]
    pub fn platform_failover() -> Self {
        Self::stored(FAILOVER.to_owned())
    }
}
