//! Hundreds of random histories, the ledger against the oracle.
//!
//! Operations go in groups, asked all at once, so that batches of every size are decided; between groups time
//! passes and the process "dies": the ledger is dropped without closing, and the file opened again.

use std::time::Duration;

use peerway_billing::{
    AccountId, Actor, Amount, Capture, Extend, HoldId, Ledger, LedgerError, NewHold, OperatorId, RequestId, Timestamp,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;

use super::support::{Bench, Database, TestDatabase, after, charge_of, grant, nanos, owner, part_of};
use crate::oracle::{self, Answer, Op, Oracle};

const CUSTOMERS: usize = 3;
const OPERATORS: usize = 2;

fn random_op(rng: &mut StdRng, now: i64) -> Op {
    let expires_at = now + rng.random_range(-500..20_000);
    let least = rng.random_range(0..400);
    let most = least + rng.random_range(-5..600);
    let id = rng.random_range(0..12);
    match rng.random_range(0..100) {
        0..18 => Op::Credit {
            account: rng.random_range(0..CUSTOMERS),
            amount: rng.random_range(-20..1500),
            reference: rng.random_range(0..30),
            memo: u32::from(rng.random_bool(0.1)),
        },
        18..45 => Op::Hold { id, account: rng.random_range(0..CUSTOMERS), least, most, expires_at },
        45..55 => Op::Extend { id, least, most, expires_at },
        55..60 => Op::Renew { id, expires_at },
        60..85 => Op::Capture {
            id,
            request: rng.random_range(0..40),
            ask: rng.random_range(0..500),
            first: rng.random_bool(0.3).then(|| (rng.random_range(1..200), rng.random_range(0..OPERATORS))),
            fee_bps: rng.random_range(0..2000),
            operator: rng.random_range(0..OPERATORS),
            at_most: rng.random_bool(0.3).then(|| rng.random_range(0..300)),
            close: rng.random_bool(0.4),
        },
        85..94 => Op::Release { id },
        94..96 => Op::Freeze { account: rng.random_range(0..CUSTOMERS), frozen: rng.random_bool(0.5) },
        96..99 => Op::Sweep,
        _ => Op::ReleaseAll,
    }
}

fn hold_id(id: u32) -> HoldId {
    HoldId::new(format!("hold-{id}")).unwrap()
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

async fn perform(ledger: Ledger, customers: Vec<AccountId>, op: Op) -> Result<Answer, LedgerError> {
    let granted =
        |got: peerway_billing::Granted| Answer::Granted { granted: got.granted.as_i64(), left: got.left.as_i64() };
    Ok(match op {
        Op::Credit { account, amount, reference, memo } => {
            let mut credit = grant(&customers[account], amount, &format!("ref-{reference}"));
            credit.memo = format!("memo {memo}");
            let done = ledger.credit(credit, &Actor::operator()).await?;
            Answer::Credited { posted: done.account.balance.posted.as_i64(), repeated: done.repeated }
        }
        Op::Hold { id, account, least, most, expires_at } => {
            let amount = Amount { least: nanos(least), most: nanos(most) };
            let (id, account) = (hold_id(id), customers[account].clone());
            granted(
                ledger
                    .hold(NewHold { id, account, amount, ahead: nanos(0), expires_at: at(expires_at), owner: owner() })
                    .await?,
            )
        }
        Op::Extend { id, least, most, expires_at } => {
            let add = Amount { least: nanos(least), most: nanos(most) };
            granted(
                ledger.extend(Extend { hold: hold_id(id), add, ahead: nanos(0), expires_at: at(expires_at) }).await?,
            )
        }
        Op::Renew { id, expires_at } => {
            Answer::Renewed(ledger.renew(vec![hold_id(id)], at(expires_at)).await?.is_empty())
        }
        Op::Capture { id, request, ask, first, fee_bps, operator, at_most, close } => {
            let first = first.map(|(ask, operator)| part_of(ask, &format!("op{operator}")));
            let capture = Capture {
                hold: hold_id(id),
                request: RequestId::new(format!("request-{request}")).unwrap(),
                charge: after(
                    first.into_iter().collect(),
                    &charge_of(ask, u32::try_from(fee_bps).unwrap(), &format!("op{operator}")),
                ),
                at_most: at_most.map(nanos),
                close,
            };
            let done = ledger.capture(capture).await?;
            let paid = done.receipt.paid;
            Answer::Captured {
                total: paid.total.as_i64(),
                operator: paid.operator.as_i64(),
                fee: paid.fee.as_i64(),
                shortfall: done.receipt.shortfall.as_i64(),
                late: done.receipt.late,
                repeated: done.repeated,
            }
        }
        Op::Release { id } => {
            let hold = ledger.release(&hold_id(id)).await?;
            Answer::Released { amount: hold.amount.as_i64(), captured: hold.captured.as_i64() }
        }
        Op::Freeze { account, frozen } => {
            ledger.set_frozen(&customers[account], frozen, &Actor::operator()).await?;
            Answer::Done
        }
        Op::Sweep => {
            ledger.sweep().await?;
            Answer::Done
        }
        Op::ReleaseAll => Answer::ReleasedAll(ledger.release_owner(&owner()).await?),
    })
}

fn refused(error: LedgerError) -> Answer {
    match error {
        LedgerError::NotFound { .. } => Answer::Refused("not found"),
        LedgerError::Frozen(_) => Answer::Refused("frozen"),
        LedgerError::Insufficient { available, .. } => Answer::Insufficient { available: available.as_i64() },
        LedgerError::Conflict { .. } => Answer::Refused("conflict"),
        LedgerError::HoldEnded { .. } => Answer::Refused("ended"),
        LedgerError::Invalid(_) => Answer::Refused("invalid"),
        other => panic!("no rule says {other}"),
    }
}

/// Asks for all of `ops` at once, in their order: this runtime has one thread and starts tasks first come,
/// first served.
async fn ask_at_once(ledger: &Ledger, customers: &[AccountId], ops: &[Op]) -> Vec<Answer> {
    let mut asked = JoinSet::new();
    for (index, op) in ops.iter().cloned().enumerate() {
        let (ledger, customers) = (ledger.clone(), customers.to_vec());
        asked.spawn(async move { (index, perform(ledger, customers, op).await.unwrap_or_else(refused)) });
    }
    let mut answers = asked.join_all().await;
    answers.sort_by_key(|(index, _)| *index);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

async fn compare_balances(bench: &Bench, customers: &[AccountId], oracle: &Oracle, story: &str) {
    for (index, account) in customers.iter().enumerate() {
        let balance = bench.ledger.account(account).await.unwrap().balance;
        let seen = (balance.posted.as_i64(), balance.held.as_i64(), balance.available.as_i64());
        let expected = (oracle.posted(&oracle::customer(index)), oracle.held(index), oracle.available(index));
        assert_eq!(seen, expected, "customer {index}, {story}");
        assert!(seen.2 >= 0, "customer {index} is below zero, {story}");
    }
    let platform = [(AccountId::platform_fees(), oracle::FEES), (AccountId::platform_grants(), oracle::GRANTS)];
    for (account, name) in platform {
        assert_eq!(bench.posted(&account).await, oracle.posted(name), "{name}, {story}");
    }
    for index in 0..OPERATORS {
        let account = AccountId::of_operator(&OperatorId::new(format!("op{index}")).unwrap());
        let posted = match bench.ledger.account(&account).await {
            Ok(account) => account.balance.posted.as_i64(),
            Err(LedgerError::NotFound { .. }) => 0,
            Err(error) => panic!("{error}"),
        };
        assert_eq!(posted, oracle.posted(&oracle::operator(index)), "operator {index}, {story}");
    }
}

async fn live_through(seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut bench = Bench::new().await;
    let mut customers = Vec::new();
    for _ in 0..CUSTOMERS {
        customers.push(bench.customer(0).await);
    }
    let mut oracle = Oracle::default();
    for group in 0..14 {
        oracle.now = bench.clock.now().as_millis();
        let ops: Vec<Op> = (0..rng.random_range(1..9)).map(|_| random_op(&mut rng, oracle.now)).collect();
        let story = format!("seed {seed}, group {group}: {ops:#?}");
        let answers = ask_at_once(&bench.ledger, &customers, &ops).await;
        let expected: Vec<Answer> = ops.iter().map(|op| oracle.apply(op)).collect();
        assert_eq!(answers, expected, "{story}");
        compare_balances(&bench, &customers, &oracle, &story).await;
        if rng.random_bool(0.2) {
            bench.ledger = bench.another().await; // the old one is dropped unclosed
        }
        if rng.random_bool(0.5) {
            bench.hand.advance(Duration::from_millis(rng.random_range(1..8000)));
            oracle.now = bench.clock.now().as_millis();
            compare_balances(&bench, &customers, &oracle, &format!("time passed after {story}")).await;
        }
    }
    bench.verified().await;
    bench.ledger.close().await;
}

/// One test per range, so that they run beside each other.
macro_rules! histories {
    ($($name:ident: $seeds:expr),+ $(,)?) => {
        $(#[tokio::test]
        async fn $name() {
            for seed in $seeds.step_by(Database::EVERY) {
                live_through(seed).await;
            }
        })+
    };
}

histories! {
    seeds_0_to_99: (0..100),
    seeds_100_to_199: (100..200),
    seeds_200_to_299: (200..300),
    seeds_300_to_399: (300..400),
}
