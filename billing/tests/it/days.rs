//! What was spent by day: the charges of the day and nothing else, whatever the time of day.

use std::time::Duration;

use peerway_billing::{AccountId, Actor, DayQuestion, DayUsage, KeyId, Nanos, Timestamp};

use super::support::{Bench, capture, hold, key_of, nanos, shown};

const DAY: Duration = Duration::from_secs(86_400);
/// 2027-01-15, the day that the clock of these tests begins in, at midnight.
const FIRST: Timestamp = Timestamp::from_millis(1_799_971_200_000);

fn question(account: &AccountId) -> DayQuestion {
    let to = Timestamp::from_millis(i64::MAX);
    DayQuestion { account: account.clone(), from: FIRST, to, key: None, model: None, after: None, limit: 100 }
}

async fn spend(bench: &Bench, account: &AccountId, name: &str, ask: i64, key: Option<&KeyId>) {
    bench.ledger.hold(hold(name, account, ask, bench.in_secs(60))).await.unwrap();
    let mut spent = capture(name, name, ask, true);
    spent.charge = shown(&spent.charge, key, None);
    bench.ledger.capture(spent).await.unwrap();
}

fn row(days_later: u32, key: Option<&KeyId>, requests: u64, spent: i64) -> DayUsage {
    let completion = spent.unsigned_abs(); // one nano-USD a token
    DayUsage {
        day: FIRST.after(DAY * days_later),
        key: key.cloned(),
        model: "smol".to_owned(),
        requests,
        prompt: 0,
        cached: 0,
        completion,
        spent: nanos(spent),
    }
}

#[tokio::test]
async fn a_day_ends_at_midnight_utc() {
    let bench = Bench::new().await;
    let (customer, other) = (bench.customer(1000).await, bench.customer(1000).await);
    let key = bench.ledger.create_key(key_of(&customer, "a key"), &Actor::operator()).await.unwrap().record.id;
    let last = FIRST.after(DAY).as_millis() - 1;
    bench.hand.advance(Duration::from_millis(last.abs_diff(bench.clock.now().as_millis())));
    spend(&bench, &customer, "a", 10, None).await;
    spend(&bench, &customer, "b", 7, Some(&key)).await;
    spend(&bench, &customer, "c", 5, Some(&key)).await;
    spend(&bench, &other, "d", 99, None).await;
    bench.hand.advance(Duration::from_millis(1));
    spend(&bench, &customer, "e", 1, Some(&key)).await;

    let all = bench.ledger.usage_by_day(&question(&customer)).await.unwrap();
    let expected = [row(0, None, 1, 10), row(0, Some(&key), 2, 12), row(1, Some(&key), 1, 1)];
    assert_eq!(all, expected);

    // Page by page, the same rows.
    let mut asked = DayQuestion { limit: 1, ..question(&customer) };
    for row in &expected {
        let page = bench.ledger.usage_by_day(&asked).await.unwrap();
        assert_eq!(page, std::slice::from_ref(row));
        asked.after = Some((row.day, row.key.clone(), row.model.clone()));
    }
    assert_eq!(bench.ledger.usage_by_day(&asked).await.unwrap(), []);

    let of_key = DayQuestion { key: Some(key.clone()), ..question(&customer) };
    assert_eq!(bench.ledger.usage_by_day(&of_key).await.unwrap(), expected[1..]);
    let first_day = DayQuestion { to: Timestamp::from_millis(last), ..question(&customer) };
    assert_eq!(bench.ledger.usage_by_day(&first_day).await.unwrap(), expected[..2]);
    let second_day = DayQuestion { from: Timestamp::from_millis(last + 1), ..question(&customer) };
    assert_eq!(bench.ledger.usage_by_day(&second_day).await.unwrap(), expected[2..]);
    let of_none = DayQuestion { model: Some("large".to_owned()), ..question(&customer) };
    assert_eq!(bench.ledger.usage_by_day(&of_none).await.unwrap(), []);
    bench.verified().await;
}

#[tokio::test]
async fn a_forecast_says_nothing_before_it_can() {
    let bench = Bench::new().await;
    let customer = bench.customer(1000).await;
    assert_eq!(bench.ledger.forecast(&customer).await.unwrap(), None);
    spend(&bench, &customer, "a", 200, None).await;
    assert_eq!(bench.ledger.forecast(&customer).await.unwrap(), None, "an account of an hour");
    bench.hand.advance(DAY * 2);
    let forecast = bench.ledger.forecast(&customer).await.unwrap().unwrap();
    let in_eight_days = bench.clock.now().after(DAY * 8);
    assert_eq!((forecast.per_day, forecast.runs_out_at), (nanos(100), Some(in_eight_days)));
    bench.hand.advance(DAY * 20);
    assert_eq!(bench.ledger.forecast(&customer).await.unwrap(), None, "nothing was spent of late");
    assert_eq!(bench.ledger.totals(&customer).await.unwrap().used, Nanos::new(200));
    bench.verified().await;
}
