//! Prices as callers read them: exact decimals, in USD.

use peerway_billing::{FeeBps, PerMillion, Price};
use peerway_openapi::models::Pricing;

/// What a caller pays: the node's price and the fee.
pub(super) fn pricing(price: &Price, fee: FeeBps) -> Pricing {
    let token = |price: PerMillion| usd_per_token(price, fee);
    Pricing { prompt: token(price.input), completion: token(price.output), input_cache_read: token(price.cached_input) }
}

/// Nano-USD per million tokens are 10⁻¹⁵ USD a token; the fee's basis points add four digits.
fn usd_per_token(price: PerMillion, fee: FeeBps) -> String {
    decimal(i128::from(price.as_i64()) * i128::from(10_000 + fee.basis_points()), 19)
}

/// A node's price in USD per million tokens.
#[must_use]
pub(crate) fn usd_per_million(price: PerMillion) -> String {
    decimal(i128::from(price.as_i64()), 9)
}

/// `value` × 10^-`digits`, exactly and without trailing zeros.
fn decimal(value: i128, digits: u32) -> String {
    let unit = 10_i128.pow(digits);
    let width = usize::try_from(digits).unwrap_or(0);
    let text = format!("{}.{:0width$}", value / unit, value % unit);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_exact_decimals() {
        let price = PerMillion::from_usd_str("0.15").unwrap();
        assert_eq!(usd_per_million(price), "0.15");
        assert_eq!(usd_per_token(price, FeeBps::ZERO), "0.00000015");
        assert_eq!(usd_per_token(price, FeeBps::new(500).unwrap()), "0.0000001575");
        assert_eq!(usd_per_million(PerMillion::from_usd_str("20").unwrap()), "20");
        assert_eq!(usd_per_million(PerMillion::default()), "0");
    }
}
