//! One answer that several nodes delivered: one bill, and each is paid for what it delivered.

use peerway_billing::{AccountId, OperatorId, Part, PerMillion, Price, TokenCount, charge, charge_parts};
use proptest::prelude::*;

use super::support::{Bench, after, capture, charge_of, hold, nanos, part_of, request};

fn operator(name: &str) -> AccountId {
    AccountId::of_operator(&OperatorId::new(name).unwrap())
}

#[tokio::test]
async fn each_node_is_paid_for_what_it_delivered_and_the_customer_once() {
    let bench = Bench::new().await;
    let account = bench.customer(1000).await;
    bench.ledger.hold(hold("h", &account, 500, bench.in_secs(60))).await.unwrap();
    let mut taken = capture("h", "r", 0, false);
    // bob 30, alice 20, bob 50; 10 % on top of 100.
    taken.charge = after(vec![part_of(30, "bob"), part_of(20, "alice")], &charge_of(50, 1000, "bob"));
    let receipt = bench.ledger.capture(taken.clone()).await.unwrap().receipt;
    assert_eq!((receipt.paid.total, receipt.paid.operator, receipt.paid.fee), (nanos(110), nanos(100), nanos(10)));
    assert_eq!((receipt.operator.as_str(), receipt.billed.completion()), ("bob", 60 + 40 + 50));
    let parts: Vec<_> = receipt.parts.iter().map(|part| (part.operator.as_str(), part.earned.as_i64())).collect();
    assert_eq!(parts, [("bob", 30), ("alice", 20), ("bob", 50)]);
    assert_eq!((bench.posted(&operator("bob")).await, bench.posted(&operator("alice")).await), (80, 20));
    assert_eq!((bench.posted(&account).await, bench.posted(&AccountId::platform_fees()).await), (890, 10));

    // Asked again, in another process: the first answer, and nothing moves.
    let again = bench.another().await.capture(taken).await.unwrap();
    assert!(again.repeated);
    assert_eq!(again.receipt, receipt);
    assert_eq!(bench.ledger.charge(&request("r")).await.unwrap(), receipt);
    assert_eq!(bench.ledger.charges(&account, 10).await.unwrap(), [receipt]);
    assert_eq!(bench.posted(&account).await, 890);
    let mut exported = Vec::new();
    bench.ledger.export(&mut exported).await.unwrap();
    let lines = String::from_utf8(exported).unwrap();
    assert_eq!(lines.lines().filter(|line| line.contains(r#""parts":[{"#)).count(), 1, "{lines}");
    bench.verified().await;
}

#[tokio::test]
async fn where_the_hold_ends_the_first_to_deliver_are_served_first() {
    let bench = Bench::new().await;
    let account = bench.customer(1000).await;
    bench.ledger.hold(hold("h", &account, 40, bench.in_secs(60))).await.unwrap();
    let mut taken = capture("h", "r", 0, true);
    taken.charge = after(vec![part_of(30, "bob"), part_of(20, "alice")], &charge_of(50, 1000, "carol"));
    let receipt = bench.ledger.capture(taken).await.unwrap().receipt;
    let parts: Vec<_> = receipt.parts.iter().map(|part| part.earned.as_i64()).collect();
    assert_eq!(
        (parts.as_slice(), receipt.paid.total, receipt.shortfall),
        ([30, 10, 0].as_slice(), nanos(40), nanos(70))
    );
    bench.verified().await;
}

#[tokio::test]
async fn a_claim_without_bounds_does_not_break_the_books() {
    let bench = Bench::new().await;
    let account = bench.customer(1000).await;
    bench.ledger.hold(hold("h", &account, 500, bench.in_secs(60))).await.unwrap();
    let boastful = Part { claimed: TokenCount::new(u64::MAX, 5, u64::MAX), ..part_of(30, "bob") };
    let mut taken = capture("h", "r", 0, true);
    taken.charge = after(vec![boastful.clone(), boastful], &charge_of(50, 0, "alice"));
    bench.ledger.capture(taken).await.unwrap();
    bench.verified().await;
}

proptest! {
    /// Parts add up to what one sum would cost, whatever their prices, and none is a nano-USD off its own.
    #[test]
    fn parts_add_up(parts in prop::collection::vec((0..3_000_000_i64, 0..2000_u64, 0..2000_u64), 1..5), bps in 0..=10_000_u32) {
        let fee = peerway_billing::FeeBps::new(bps).unwrap();
        let price = |of: i64| {
            let each = PerMillion::new(of).unwrap();
            Price { input: each, cached_input: each, output: each }
        };
        let priced: Vec<_> =
            parts.iter().map(|(of, prompt, made)| (price(*of), TokenCount::new(*prompt, 0, *made))).collect();
        let (split, earned) = charge_parts(priced.iter().map(|(price, tokens)| (price, *tokens)), fee).unwrap();
        let exact: i128 = parts.iter().map(|(of, prompt, made)| i128::from(*of) * i128::from(prompt + made)).sum();
        let operator = i128::from(split.operator.as_i64());
        prop_assert!((operator - 1) * 1_000_000 < exact && exact <= operator * 1_000_000);
        let gross = exact * i128::from(10_000 + bps);
        let total = i128::from(split.total.as_i64());
        prop_assert!((total - 1) * 10_000_000_000 < gross && gross <= total * 10_000_000_000);
        let earned: Vec<i64> = earned.into_iter().map(peerway_billing::Nanos::as_i64).collect();
        prop_assert_eq!(earned.iter().sum::<i64>(), split.operator.as_i64());
        prop_assert_eq!(split.fee.as_i64(), split.total.as_i64() - split.operator.as_i64());
        for ((price, tokens), earned) in priced.iter().zip(earned) {
            let alone = charge(price, *tokens, fee).unwrap().operator.as_i64();
            prop_assert!((alone - 1..=alone).contains(&earned), "{} of {}", earned, alone);
        }
    }
}
