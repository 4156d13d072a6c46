//! Budgets: never overspent, whatever runs at once, and told exactly.

use std::time::Duration;

use peerway_billing::{
    AccountId, Actor, Amount, BudgetError, BudgetLimits, BudgetScope, Budgets, Capture, Charge, KeyId, Ledger,
    LedgerOptions, Nanos, OwnerId, Reserved, Till, TillConfig, Timestamp, TokenId, Window,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use time::OffsetDateTime;
use tokio::task::JoinSet;

use super::support::{
    Bench, Database, START, TestDatabase, capture, charge_of, grant, hold, key_of, nanos, owner, request, shown,
};

const NO_LIMITS: BudgetLimits = BudgetLimits { day: None, week: None, month: None, lifetime: None };

fn key(name: &str) -> KeyId {
    KeyId::new(name).unwrap()
}

fn of_key(name: &str) -> BudgetScope {
    BudgetScope::Key(key(name))
}

fn a_day(limit: i64) -> BudgetLimits {
    BudgetLimits { day: Some(nanos(limit)), ..NO_LIMITS }
}

fn budgets_of(ledger: &Ledger, gateway: &str) -> Budgets {
    Budgets::new(ledger.clone(), OwnerId::new(gateway).unwrap())
}

/// Charges `paid` with `key_1`, as the till does: what was reserved is let go of once it is in the ledger.
async fn pay(ledger: &Ledger, mut reserved: Reserved, paid: i64) {
    reserved.owe(nanos(paid));
    let name = format!("paid-{}", uuid::Uuid::new_v4());
    ledger.capture(spent_with(&name, paid, Some(&key("key_1")), None)).await.unwrap();
}

async fn reserve(budgets: &Budgets, limits: &BudgetLimits, amount: i64) -> Result<Reserved, BudgetError> {
    budgets.reserve(of_key("key_1"), limits, Amount::exactly(nanos(amount))).await
}

/// What is left of a day's limit, told by asking for too much.
async fn left(budgets: &Budgets, limits: &BudgetLimits) -> i64 {
    match reserve(budgets, limits, i64::MAX).await {
        Err(BudgetError::Exhausted { remaining, .. }) => remaining.as_i64(),
        other => panic!("{other:?}"),
    }
}

/// A customer with a hold `h` for a year.
async fn customer_with_hold(bench: &Bench) -> AccountId {
    let account = bench.customer(1_000_000).await;
    bench.ledger.hold(hold("h", &account, 1_000_000, bench.in_secs(365 * 86_400))).await.unwrap();
    account
}

fn spent_with(name: &str, ask: i64, key: Option<&KeyId>, token: Option<&TokenId>) -> Capture {
    let taken = capture("h", name, ask, false);
    let charge = shown(&taken.charge, key, token);
    Capture { charge, ..taken }
}

#[tokio::test]
async fn a_part_is_granted_spent_and_given_back() {
    let bench = Bench::new().await;
    customer_with_hold(&bench).await;
    let budgets = budgets_of(&bench.ledger, "gateway");
    let limits = BudgetLimits { day: Some(nanos(100)), lifetime: Some(nanos(150)), ..NO_LIMITS };
    let wish = Amount { least: nanos(10), most: nanos(70) };
    let ask = || budgets.reserve(of_key("key_1"), &limits, wish);
    let (first, second) = (ask().await.unwrap(), ask().await.unwrap());
    assert_eq!((first.amount(), second.amount()), (nanos(70), nanos(30)), "the rest of the day");
    let resets_at = Some(Timestamp::from_millis(1_800_057_600_000)); // 2027-01-16
    let exhausted =
        BudgetError::Exhausted { window: Window::Day, limit: nanos(100), remaining: Nanos::ZERO, resets_at };
    assert_eq!(ask().await.unwrap_err(), exhausted);
    drop(second);
    pay(&bench.ledger, first, 65).await;
    assert_eq!(ask().await.unwrap().amount(), nanos(35));
    pay(&bench.ledger, ask().await.unwrap(), 35).await;

    bench.hand.advance(Duration::from_secs(86_400));
    pay(&bench.ledger, ask().await.unwrap(), 50).await; // lifetime decides now
    let error = ask().await.unwrap_err();
    let gone =
        BudgetError::Exhausted { window: Window::Lifetime, limit: nanos(150), remaining: Nanos::ZERO, resets_at: None };
    assert_eq!(error, gone);
    assert_eq!(error.to_string(), "the lifetime budget of $0.00000015 has $0.00 left");
    let nonsense = Amount { least: nanos(2), most: nanos(1) };
    let error = budgets.reserve(of_key("key_1"), &limits, nonsense).await.unwrap_err();
    assert!(matches!(error, BudgetError::Invalid(_)), "{error}");
}

#[tokio::test]
async fn of_several_windows_the_longest_is_told() {
    let bench = Bench::new().await;
    customer_with_hold(&bench).await;
    let budgets = budgets_of(&bench.ledger, "gateway");
    let limits = BudgetLimits { day: Some(nanos(10)), week: Some(nanos(10)), month: Some(nanos(12)), ..NO_LIMITS };
    pay(&bench.ledger, reserve(&budgets, &limits, 10).await.unwrap(), 10).await;
    for (amount, window, resets_at) in [
        (1, Window::Week, 1_800_230_400_000),  // Monday, 2027-01-18
        (3, Window::Month, 1_801_440_000_000), // 2027-02-01
    ] {
        match reserve(&budgets, &limits, amount).await {
            Err(BudgetError::Exhausted { window: told, resets_at: at, .. }) => {
                assert_eq!((told, at), (window, Some(Timestamp::from_millis(resets_at))));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn spending_counts_in_the_window_in_which_it_is_captured() {
    let bench = Bench::new().await;
    customer_with_hold(&bench).await;
    let budgets = budgets_of(&bench.ledger, "gateway");
    let limits = a_day(100);
    let over_midnight = reserve(&budgets, &limits, 80).await.unwrap();
    pay(&bench.ledger, reserve(&budgets, &limits, 20).await.unwrap(), 20).await;
    bench.hand.advance(Duration::from_secs(86_400));
    assert_eq!(left(&budgets, &limits).await, 20, "what is reserved counts against today");
    pay(&bench.ledger, over_midnight, 70).await;
    assert_eq!(left(&budgets, &limits).await, 30);
}

#[tokio::test]
async fn what_was_spent_before_counts_once() {
    let bench = Bench::new().await;
    customer_with_hold(&bench).await;
    let token = TokenId::new("tok_1").unwrap();
    for (name, ask, token) in [("a", 30, None), ("b", 12, Some(&token))] {
        bench.ledger.capture(spent_with(name, ask, Some(&key("key_1")), token)).await.unwrap();
    }
    bench.ledger.capture(spent_with("other", 500, Some(&key("key_2")), None)).await.unwrap();
    bench.ledger.capture(spent_with("keyless", 500, None, None)).await.unwrap();

    let budgets = budgets_of(&bench.ledger, "gateway");
    let mut asked = JoinSet::new();
    for _ in 0..64 {
        let budgets = budgets.clone();
        asked.spawn(async move { left(&budgets, &a_day(100)).await });
    }
    assert_eq!(asked.join_all().await, [58; 64], "64 first uses at once");
    let minted = BudgetScope::Token(token);
    let got = budgets.reserve(minted, &a_day(100), Amount { least: nanos(1), most: nanos(100) }).await.unwrap();
    assert_eq!(got.amount(), nanos(88), "a minted token has its own");
}

/// A rotation neither empties a budget nor doubles it, however often it is done.
#[tokio::test]
async fn the_keys_of_a_chain_share_a_budget() {
    let bench = Bench::new().await;
    let account = customer_with_hold(&bench).await;
    let actor = Actor::operator();
    let overlap = Duration::from_secs(60);
    let other = bench.ledger.create_key(key_of(&account, "other"), &actor).await.unwrap().record.id;
    let first = bench.ledger.create_key(key_of(&account, "first"), &actor).await.unwrap().record.id;
    let second = bench.ledger.rotate_key(&first, overlap, &actor).await.unwrap().record;
    let third = bench.ledger.rotate_key(&second.id, overlap, &actor).await.unwrap().record;
    for (name, ask, key) in [("a", 30, &first), ("b", 12, &second.id), ("c", 7, &third.id), ("d", 500, &other)] {
        bench.ledger.capture(spent_with(name, ask, Some(key), None)).await.unwrap();
    }
    for key in [&first, &second.id, &third.id] {
        let usage = bench.ledger.key_usage(key).await.unwrap();
        assert_eq!((usage.total, usage.day, usage.requests), (nanos(49), nanos(49), 3));
    }
    assert_eq!(bench.ledger.key_usage(&other).await.unwrap().total, nanos(500));
    let charges = bench.ledger.charges(&account, 10).await.unwrap();
    assert!(charges.iter().any(|charge| charge.key.as_ref() == Some(&third.id)), "a charge keeps the key shown");

    let budgets = budgets_of(&bench.ledger, "gateway");
    let all = Amount { least: nanos(1), most: nanos(100) };
    let got = budgets.reserve(BudgetScope::Key(third.root), &a_day(100), all).await.unwrap();
    assert_eq!(got.amount(), nanos(51));
    let none = budgets.reserve(BudgetScope::Key(second.root), &a_day(100), all).await.unwrap_err();
    assert!(matches!(none, BudgetError::Exhausted { remaining: Nanos::ZERO, .. }), "{none}");
    bench.ledger.capture(spent_with("e", 1, Some(&first), None)).await.unwrap();
    drop(got);
    let got = budgets.reserve(BudgetScope::Key(first), &a_day(100), all).await.unwrap();
    assert_eq!(got.amount(), nanos(50));
    bench.verified().await;
}

/// Captures that are on their way when a limit is set count once: neither missed nor doubled.
#[tokio::test]
async fn a_limit_that_comes_later_counts_what_is_under_way() {
    let bench = Bench::new().await;
    let account = customer_with_hold(&bench).await;
    bench.ledger.credit(grant(&account, 1000, "more"), &Actor::operator()).await.unwrap();
    bench.ledger.capture(spent_with("before", 5, Some(&key("key_1")), None)).await.unwrap();
    bench.hand.advance(Duration::from_millis(1));
    let config = TillConfig { slice: nanos(500), ..TillConfig::new(owner(), bench.journal()) };
    let till = Till::open(bench.ledger.clone(), config).await;
    let till = till.unwrap();
    let budgets = budgets_of(&bench.ledger, "gateway");
    let charge: Charge = shown(&charge_of(20, 0, "alice"), Some(&key("key_1")), None);

    let mut open = Vec::new();
    for name in ["durable", "queued", "under way"] {
        let reserved = reserve(&budgets, &NO_LIMITS, 20).await.unwrap();
        let admitted =
            till.admit(request(&name.replace(' ', "_")), &account, Amount::exactly(nanos(20))).await.unwrap();
        open.push((reserved, admitted));
    }
    let mut end = || {
        let (reserved, admitted) = open.remove(0);
        let _paid = admitted.capture_of(charge.clone(), vec![reserved]);
    };
    end();
    till.flush().await.unwrap();
    end();
    assert_eq!(left(&budgets, &a_day(100)).await, 100 - 5 - 20 - 20 - 20);
    till.flush().await.unwrap();
    end();
    till.flush().await.unwrap();
    assert_eq!(left(&budgets, &a_day(100)).await, 35);
    assert_eq!(left(&budgets_of(&bench.ledger, "gateway"), &a_day(100)).await, 35, "and the ledger agrees");
    till.close().await.unwrap();
    bench.verified().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_tasks_on_the_last_budget() {
    let bench = Bench::new().await;
    customer_with_hold(&bench).await;
    bench.ledger.capture(spent_with("before", 500, Some(&key("key_1")), None)).await.unwrap();
    let mut limit = 500;
    for round in 0..(20 / Database::EVERY as u64).max(4) {
        limit += 500;
        let budgets = budgets_of(&bench.ledger, "gateway");
        let mut asked = JoinSet::new();
        for index in 0..64 {
            let (budgets, ledger) = (budgets.clone(), bench.ledger.clone());
            asked.spawn(async move {
                let mut rng = StdRng::seed_from_u64(round * 64 + index);
                let mut spent = 0;
                for _ in 0..8 {
                    let wish = Amount { least: nanos(1), most: nanos(rng.random_range(1..60)) };
                    let Ok(reserved) = budgets.reserve(of_key("key_1"), &a_day(limit), wish).await else { continue };
                    tokio::task::yield_now().await;
                    if rng.random_bool(0.3) {
                        continue; // dropped
                    }
                    let paid = rng.random_range(0..=reserved.amount().as_i64());
                    pay(&ledger, reserved, paid).await;
                    spent += paid;
                }
                spent
            });
        }
        let spent: i64 = asked.join_all().await.iter().sum();
        assert!(spent <= 500, "overspent: {spent}");
        assert_eq!(left(&budgets, &a_day(limit)).await, 500 - spent);
        limit -= 500 - spent;
    }
}

/// Two gateways that share a ledger share a budget: never overspent, and all but 1 % of it can be spent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_and_64_callers_each_spend_one_budget() {
    const LIMIT: i64 = 100_000;
    let bench = Bench::new().await;
    customer_with_hold(&bench).await;
    let mut running = JoinSet::new();
    for gateway in ["gateway-a", "gateway-b"] {
        // Patient where the other one writes.
        let options = LedgerOptions { clock: bench.clock.clone(), ..LedgerOptions::default() };
        let ledger = bench.database.open(options).await;
        let budgets = budgets_of(&ledger, gateway);
        for _ in 0..64 {
            let (budgets, ledger) = (budgets.clone(), ledger.clone());
            running.spawn(async move {
                let mut spent = 0;
                // A request sets aside more than it costs.
                while let Ok(reserved) = reserve(&budgets, &a_day(LIMIT), 150).await {
                    tokio::task::yield_now().await;
                    pay(&ledger, reserved, 100).await;
                    spent += 100;
                }
                spent
            });
        }
    }
    let spent: Vec<i64> = running.join_all().await;
    let total: i64 = spent.iter().sum();
    assert!(total <= LIMIT, "overspent: {total}");
    assert!(total >= LIMIT * 99 / 100, "refused too early: {total}");
    let usage = bench.ledger.key_usage(&key("key_1")).await.unwrap();
    assert_eq!(usage.day, nanos(total));
    bench.verified().await;
}

#[tokio::test]
async fn what_one_gateway_has_set_aside_is_not_anothers() {
    let bench = Bench::new().await;
    customer_with_hold(&bench).await;
    let (one, two) = (budgets_of(&bench.ledger, "one"), budgets_of(&bench.another().await, "two"));
    let limits = a_day(100);
    let running = reserve(&one, &limits, 60).await.unwrap();
    assert_eq!(left(&two, &limits).await, 40);
    pay(&bench.ledger, running, 25).await;
    one.maintain().await;
    assert_eq!((left(&one, &limits).await, left(&two, &limits).await), (75, 75), "counted once");
    let theirs = reserve(&two, &limits, 75).await.unwrap();
    assert_eq!(left(&one, &limits).await, 0);
    drop(theirs);
    two.maintain().await;
    assert_eq!(left(&one, &limits).await, 75);
    bench.verified().await;
}

/// Near the end of a budget the others learn by themselves what was paid, and what was given back.
#[tokio::test]
async fn near_the_end_others_learn_at_once() {
    let bench = Bench::new().await;
    customer_with_hold(&bench).await;
    let (one, two) = (budgets_of(&bench.ledger, "one"), budgets_of(&bench.another().await, "two"));
    let limits = a_day(100);
    let running = reserve(&one, &limits, 60).await.unwrap();
    pay(&bench.ledger, running, 25).await;
    let learnt = async {
        while left(&two, &limits).await != 75 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), learnt).await.expect("told without being asked");
}

/// What lies ready for requests that do not come is given back, and so is what a gateway leaves that ends or dies.
#[tokio::test]
async fn what_nobody_uses_is_given_back() {
    const LIMIT: i64 = 1_000_000;
    let bench = Bench::new().await;
    customer_with_hold(&bench).await;
    let (one, two) = (budgets_of(&bench.ledger, "one"), budgets_of(&bench.another().await, "two"));
    let limits = a_day(LIMIT);
    let ahead = (LIMIT - 10) / 128;
    drop(reserve(&one, &limits, 10).await.unwrap());
    one.maintain().await;
    assert_eq!(left(&two, &limits).await, LIMIT - 10 - ahead, "set aside for the next");
    bench.hand.advance(Duration::from_secs(60));
    one.maintain().await;
    assert_eq!(left(&two, &limits).await, LIMIT, "idle");

    let running = reserve(&one, &limits, 10).await.unwrap();
    bench.ledger.release_owner(&OwnerId::new("one").unwrap()).await.unwrap();
    assert_eq!(left(&two, &limits).await, LIMIT, "its gateway has ended");
    one.maintain().await;
    assert_eq!(left(&two, &limits).await, LIMIT - 10 - ahead, "it has not");
    drop(one);
    bench.hand.advance(Duration::from_secs(299));
    assert_eq!(left(&two, &limits).await, LIMIT - 10 - ahead);
    bench.hand.advance(Duration::from_secs(1));
    assert_eq!(left(&two, &limits).await, LIMIT, "it was not heard of for five minutes");
    bench.ledger.sweep().await.unwrap();
    bench.verified().await;
    drop(running);
}

/// Limits that were lowered bind at once, whatever was set aside before.
#[tokio::test]
async fn a_lower_limit_counts_from_the_next_request_on() {
    let bench = Bench::new().await;
    customer_with_hold(&bench).await;
    let budgets = budgets_of(&bench.ledger, "gateway");
    drop(reserve(&budgets, &a_day(1_000_000), 10).await.unwrap());
    assert_eq!(left(&budgets, &a_day(9)).await, 9);
    assert!(matches!(reserve(&budgets, &a_day(9), 10).await, Err(BudgetError::Exhausted { .. })));
    drop(reserve(&budgets, &a_day(1_000_000), 10).await.unwrap());
}

#[tokio::test]
async fn without_the_ledger_what_was_set_aside_can_be_spent() {
    let bench = Bench::new().await;
    let budgets = budgets_of(&bench.ledger, "gateway");
    let limits = a_day(1_000_000);
    let running = reserve(&budgets, &limits, 10).await.unwrap();
    bench.ledger.close().await;
    drop(reserve(&budgets, &limits, 7000).await.unwrap());
    let part = Amount { least: nanos(1), most: nanos(8000) };
    let rest = budgets.reserve(of_key("key_1"), &limits, part).await.unwrap();
    assert_eq!(rest.amount().as_i64(), (1_000_000 - 10) / 128, "all that there is");
    for name in ["key_1", "key_2"] {
        let one = Amount::exactly(nanos(1));
        let error = budgets.reserve(of_key(name), &limits, one).await.unwrap_err();
        assert!(matches!(error, BudgetError::Unavailable(_)), "{error}");
    }
    drop(budgets.reserve(of_key("key_2"), &NO_LIMITS, Amount::exactly(nanos(1))).await.unwrap());
    drop((running, rest));
}

#[tokio::test]
async fn idle_scopes_are_forgotten_and_those_in_use_are_not() {
    let bench = Bench::new().await;
    customer_with_hold(&bench).await;
    let budgets = budgets_of(&bench.ledger, "gateway");
    let one = Amount::exactly(nanos(1));
    for index in 0..10 {
        drop(budgets.reserve(of_key(&format!("key_{index}")), &a_day(1_000_000), one).await.unwrap());
    }
    let in_use = budgets.reserve(of_key("key_3"), &a_day(1_000_000), one).await.unwrap();
    bench.hand.advance(Duration::from_secs(599));
    drop(budgets.reserve(of_key("key_4"), &a_day(1_000_000), one).await.unwrap());
    drop(budgets.reserve(of_key("key_10"), &a_day(1_000_000), one).await.unwrap());
    assert_eq!(budgets.scopes(), 11, "nobody was idle for ten minutes");
    bench.hand.advance(Duration::from_secs(61));
    drop(budgets.reserve(of_key("key_11"), &a_day(1_000_000), one).await.unwrap());
    assert_eq!(budgets.scopes(), 4, "3 is in use, 4 and 10 were lately, 11 is new");
    pay(&bench.ledger, in_use, 1).await;
}

/// The rules once more, from lists: all that was spent, and all that is reserved.
#[derive(Default)]
struct Oracle {
    spent: Vec<(usize, OffsetDateTime, i64)>,
    reserved: Vec<(usize, i64)>,
}

fn date(now: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(now.as_millis()) * 1_000_000).unwrap()
}

impl Oracle {
    /// What is left of each limited window, shortest first.
    fn left(&self, scope: usize, limits: &BudgetLimits, now: OffsetDateTime) -> Vec<(Window, i64)> {
        let week = |moment: OffsetDateTime| {
            let (year, week, _) = moment.date().to_iso_week_date();
            (year, week)
        };
        let same = |window: Window, then: OffsetDateTime| match window {
            Window::Day => then.date() == now.date(),
            Window::Week => week(then) == week(now),
            Window::Month => (then.year(), then.month()) == (now.year(), now.month()),
            Window::Lifetime => true,
        };
        let reserved: i64 = self.reserved.iter().filter(|(owner, _)| *owner == scope).map(|(_, amount)| amount).sum();
        let windows = [
            (Window::Day, limits.day),
            (Window::Week, limits.week),
            (Window::Month, limits.month),
            (Window::Lifetime, limits.lifetime),
        ];
        let limited = windows.into_iter().filter_map(|(window, limit)| Some((window, limit?.as_i64())));
        limited
            .map(|(window, limit)| {
                let counts = |(owner, then, _): &&(usize, OffsetDateTime, i64)| *owner == scope && same(window, *then);
                let spent: i64 = self.spent.iter().filter(counts).map(|(_, _, amount)| amount).sum();
                (window, (limit - spent - reserved).max(0))
            })
            .collect()
    }

    /// What is granted, or which window refuses with how much left.
    fn reserve(
        &mut self,
        scope: usize,
        limits: &BudgetLimits,
        (least, most): (i64, i64),
        now: OffsetDateTime,
    ) -> Result<i64, (Window, i64)> {
        let left = self.left(scope, limits, now);
        if let Some(refusal) = left.iter().rfind(|(_, left)| *left < least) {
            return Err(*refusal);
        }
        let granted = left.iter().map(|(_, left)| *left).fold(most, i64::min);
        self.reserved.push((scope, granted));
        Ok(granted)
    }
}

fn random_limits(rng: &mut StdRng) -> BudgetLimits {
    let mut limit = |most: i64| rng.random_bool(0.5).then(|| nanos(rng.random_range(1..most)));
    BudgetLimits { day: limit(300), week: limit(600), month: limit(1200), lifetime: limit(4000) }
}

async fn live_through(seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let bench = Bench::new().await;
    customer_with_hold(&bench).await;
    let (keys, token) = ([key("key_0"), key("key_1")], TokenId::new("tok_1").unwrap());
    let scopes = [of_key("key_0"), of_key("key_1"), BudgetScope::Token(token.clone())];
    let mut oracle = Oracle::default();
    let mut budgets = budgets_of(&bench.ledger, "gateway");
    let mut open: Vec<Reserved> = Vec::new();
    for step in 0..60 {
        let story = format!("seed {seed}, step {step}");
        let now = date(bench.clock.now());
        match rng.random_range(0..100) {
            0..45 => {
                let scope = rng.random_range(0..scopes.len());
                let limits = random_limits(&mut rng);
                let least = rng.random_range(0..80);
                let most = least + rng.random_range(0..150);
                let amount = Amount { least: nanos(least), most: nanos(most) };
                let got = budgets.reserve(scopes[scope].clone(), &limits, amount).await;
                let expected = oracle.reserve(scope, &limits, (least, most), now);
                let seen = match &got {
                    Ok(reserved) => Ok(reserved.amount().as_i64()),
                    Err(BudgetError::Exhausted { window, remaining, .. }) => Err((*window, remaining.as_i64())),
                    Err(error) => panic!("{story}: {error}"),
                };
                assert_eq!(seen, expected, "{story}, scope {scope}, {limits:?}, {least}..{most}");
                open.extend(got);
            }
            45..75 if !open.is_empty() => {
                let index = rng.random_range(0..open.len());
                let (reserved, (scope, amount)) = (open.remove(index), oracle.reserved.remove(index));
                if rng.random_bool(0.3) {
                    drop(reserved);
                    continue;
                }
                let paid = rng.random_range(0..=amount);
                let mut reserved = reserved;
                reserved.owe(nanos(paid));
                oracle.spent.push((scope, now, paid));
                let (key, token) = if scope == 2 { (None, Some(&token)) } else { (Some(&keys[scope]), None) };
                bench.ledger.capture(spent_with(&format!("r{step}"), paid, key, token)).await.unwrap();
                drop(reserved);
            }
            75..95 => {
                let longest = if rng.random_bool(0.5) { 3_600_000 } else { 20 * 86_400_000 };
                bench.hand.advance(Duration::from_millis(rng.random_range(1..longest)));
            }
            95.. => {
                // Another process: what was reserved is gone, what was spent is in the ledger.
                open.clear();
                oracle.reserved.clear();
                bench.hand.advance(Duration::from_millis(1));
                budgets = budgets_of(&bench.ledger, "gateway");
            }
            _ => {}
        }
    }
    bench.verified().await;
    bench.ledger.close().await;
}

#[tokio::test]
async fn random_histories_agree_with_the_oracle() {
    assert_eq!(date(START).to_string(), "2027-01-15 8:00:00.0 +00:00:00");
    for seed in (0..60).step_by(Database::EVERY) {
        live_through(seed).await;
    }
}
