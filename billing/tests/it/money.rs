//! Amounts and the formula, against values worked out by hand and against exact inequalities.

use peerway_billing::{
    AmountParseError, FeeBps, Nanos, PerMillion, Price, Split, TokenCount, affordable_completion, charge,
};
use proptest::prelude::*;

fn price(input: i64, cached: i64, output: i64) -> Price {
    let per_million = |value| PerMillion::new(value).unwrap();
    Price { input: per_million(input), cached_input: per_million(cached), output: per_million(output) }
}

fn fee(bps: u32) -> FeeBps {
    FeeBps::new(bps).unwrap()
}

#[test]
fn dollars_are_read_and_written_exactly() {
    for (text, nano_usd, shown) in [
        ("12.50", 12_500_000_000, "$12.50"),
        ("$1", 1_000_000_000, "$1.00"),
        ("0.000012345", 12_345, "$0.000012345"),
        (".5", 500_000_000, "$0.50"),
        ("0", 0, "$0.00"),
        (" $3.1 ", 3_100_000_000, "$3.10"),
        ("9223372036.854775807", i64::MAX, "$9223372036.854775807"),
    ] {
        let amount = Nanos::from_usd_str(text).unwrap();
        assert_eq!(amount.as_i64(), nano_usd, "{text}");
        assert_eq!(amount.to_string(), shown);
    }
    assert_eq!(Nanos::new(-1_500_000_000).to_string(), "-$1.50");
    assert_eq!(Nanos::new(i64::MIN).to_string(), "-$9223372036.854775808");
}

#[test]
fn what_is_no_amount_is_refused_with_its_reason() {
    for text in ["", "$", ".", "1.", "-1", "+1", "1e3", "1,5", "NaN", "$$1", "0x1", "1.2.3", "１"] {
        assert!(matches!(Nanos::from_usd_str(text), Err(AmountParseError::NotANumber(_))), "{text}");
    }
    assert!(matches!(Nanos::from_usd_str("0.0000000001"), Err(AmountParseError::TooFine(_))));
    for text in ["9223372036.854775808", "9223372037", "99999999999999999999"] {
        assert!(matches!(Nanos::from_usd_str(text), Err(AmountParseError::TooLarge(_))), "{text}");
    }
}

#[test]
fn a_request_costs_what_a_pocket_calculator_says() {
    // 1000 prompt tokens, 400 of them cached, 250 completion, at $0.10 / $0.025 / $0.40 a million, 5.5 % fee:
    // 600 × 100 + 400 × 25 + 250 × 400 = 170 000 nano-USD; × 1.055 = 179 350.
    let price = price(100_000_000, 25_000_000, 400_000_000);
    let split = charge(&price, TokenCount::new(1000, 400, 250), fee(550)).unwrap();
    assert_eq!(split, Split { total: Nanos::new(179_350), operator: Nanos::new(170_000), fee: Nanos::new(9350) });
}

#[test]
fn a_part_of_a_nano_usd_is_rounded_up_once() {
    // 3 tokens at one millionth of a nano-USD each: one nano-USD, and the fee is inside the rounding.
    let split = charge(&price(1, 1, 1), TokenCount::new(2, 1, 1), fee(100)).unwrap();
    assert_eq!(split, Split { total: Nanos::new(1), operator: Nanos::new(1), fee: Nanos::ZERO });
    // 1 000 001 such tokens: 1.000001, up to 2; with 100 % fee 2.000002, up to 3.
    let split = charge(&price(1, 1, 1), TokenCount::new(1_000_001, 0, 0), fee(10_000)).unwrap();
    assert_eq!(split, Split { total: Nanos::new(3), operator: Nanos::new(2), fee: Nanos::new(1) });
}

#[test]
fn too_much_is_an_error_and_never_wraps() {
    let most = u64::MAX;
    assert!(charge(&price(i64::MAX, i64::MAX, i64::MAX), TokenCount::new(most, most, most), fee(10_000)).is_err());
    assert!(charge(&price(0, 0, i64::MAX), TokenCount::new(0, 0, 1_000_001), FeeBps::ZERO).is_err());
    let fits = charge(&price(0, 0, i64::MAX), TokenCount::new(0, 0, 1_000_000), FeeBps::ZERO).unwrap();
    assert_eq!(fits.total, Nanos::MAX);
    assert!(charge(&price(0, 0, i64::MAX), TokenCount::new(0, 0, 1_000_000), fee(1)).is_err());
    assert!(FeeBps::new(10_001).is_err());
}

#[test]
fn a_claim_is_billed_up_to_what_was_counted() {
    let claimed = TokenCount::new(5000, 900, 70);
    assert_eq!(claimed.at_most(TokenCount::new(500, 0, 100)), TokenCount::new(500, 500, 70));
    assert_eq!(TokenCount::new(3, 9, u64::MAX).cached(), 3);
    assert_eq!(TokenCount::new(3, 9, u64::MAX).completion(), 9_223_372_036_854_775_807);
}

#[test]
fn a_limited_split_serves_the_operator_first() {
    let due = Split { total: Nanos::new(100), operator: Nanos::new(90), fee: Nanos::new(10) };
    let limited = |limit| due.limited(Nanos::new(limit));
    assert_eq!(limited(95), Split { total: Nanos::new(95), operator: Nanos::new(90), fee: Nanos::new(5) });
    assert_eq!(limited(60), Split { total: Nanos::new(60), operator: Nanos::new(60), fee: Nanos::ZERO });
    assert_eq!(limited(-1), Split::default());
    assert_eq!(limited(1000), due);
}

#[test]
fn a_price_keeps_within_a_cap_in_every_part() {
    let cap = price(10, 5, 20);
    assert!(price(10, 5, 20).within(&cap));
    for dearer in [price(11, 5, 20), price(10, 6, 20), price(10, 5, 21)] {
        assert!(!dearer.within(&cap));
    }
    assert_eq!(Price::from_usd_strs("0.10", "0.025", "0.4").unwrap(), price(100_000_000, 25_000_000, 400_000_000));
    assert!(serde_json::from_str::<PerMillion>("-1").is_err());
}

proptest! {
    #[test]
    fn amounts_survive_their_text(nano_usd in 0..=i64::MAX) {
        let amount = Nanos::new(nano_usd);
        prop_assert_eq!(Nanos::from_usd_str(&amount.to_string()).unwrap(), amount);
    }

    /// x is a/b rounded up exactly when (x - 1) × b < a <= x × b.
    #[test]
    fn both_amounts_are_the_sum_rounded_up(
        input in 0..1_000_000_000_000_i64, cached in 0..1_000_000_000_000_i64, output in 0..1_000_000_000_000_i64,
        fresh in 0..1_000_000_u64, known in 0..1_000_000_u64, made in 0..1_000_000_u64, bps in 0..=10_000_u32,
    ) {
        let split = charge(&price(input, cached, output), TokenCount::new(fresh + known, known, made), fee(bps)).unwrap();
        let sum = i128::from(input) * i128::from(fresh) + i128::from(cached) * i128::from(known)
            + i128::from(output) * i128::from(made);
        let (total, operator) = (i128::from(split.total.as_i64()), i128::from(split.operator.as_i64()));
        prop_assert!((operator - 1) * 1_000_000 < sum && sum <= operator * 1_000_000);
        let gross = sum * i128::from(10_000 + bps);
        prop_assert!((total - 1) * 10_000_000_000 < gross && gross <= total * 10_000_000_000);
        prop_assert_eq!(i128::from(split.fee.as_i64()), total - operator);
        prop_assert!(split.fee >= Nanos::ZERO);
    }

    #[test]
    fn no_numbers_make_it_panic(
        input in 0..=i64::MAX, cached in 0..=i64::MAX, output in 0..=i64::MAX,
        prompt: u64, known: u64, made: u64, bps in 0..=10_000_u32, amount: i64,
    ) {
        let (price, tokens) = (price(input, cached, output), TokenCount::new(prompt, known, made));
        if let Ok(split) = charge(&price, tokens, fee(bps)) {
            prop_assert!(split.operator >= Nanos::ZERO && split.fee >= Nanos::ZERO);
        }
        prop_assert!(affordable_completion(&price, fee(bps), tokens, Nanos::new(amount)) <= i64::MAX.unsigned_abs());
    }

    #[test]
    fn what_is_affordable_is_covered_and_one_more_is_not(
        input in 0..1_000_000_000_i64, output in 1..1_000_000_000_i64, prompt in 0..10_000_u64,
        amount in 0..1_000_000_000_i64, bps in 0..=10_000_u32,
    ) {
        let (price, amount) = (price(input, input, output), Nanos::new(amount));
        let cost = |made| charge(&price, TokenCount::new(prompt, 0, made), fee(bps)).unwrap().total;
        let made = affordable_completion(&price, fee(bps), TokenCount::new(prompt, 0, 7), amount);
        if cost(0) <= amount {
            prop_assert!(cost(made) <= amount);
            prop_assert!(cost(made + 1) > amount);
        } else {
            prop_assert_eq!(made, 0);
        }
    }
}
