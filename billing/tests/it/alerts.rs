//! Budgets that are being used up: each level told once a window, and not lost by a restart.

use std::time::Duration;

use peerway_billing::{
    AccountId, Actor, AlertScope, AlertState, BudgetLimits, DueAlert, KeyId, KeyPolicy, KeyTerms, Ledger, LedgerError,
    Window,
};

use super::support::{Bench, capture, hold, key_of, nanos, shown};

const URL: &str = "https://app.example.com/alerts";
const DAY: Duration = Duration::from_secs(86_400);

async fn listens(bench: &Bench, account: &AccountId, budgets: BudgetLimits) {
    bench.ledger.put_alert_hook(account, URL, budgets, "whsec_1", &Actor::operator()).await.unwrap();
}

async fn spend(bench: &Bench, account: &AccountId, name: &str, ask: i64, key: Option<&KeyId>) {
    bench.ledger.hold(hold(name, account, ask, bench.in_secs(60))).await.unwrap();
    let mut spent = capture(name, name, ask, true);
    spent.charge = shown(&spent.charge, key, None);
    bench.ledger.capture(spent).await.unwrap();
}

/// Window and level of what is due.
async fn due(ledger: &Ledger) -> Vec<(Window, u8)> {
    let due = ledger.due_alerts(100).await.unwrap();
    let mut told: Vec<(Window, u8)> = due.iter().map(|due| (due.alert.window, due.alert.level)).collect();
    told.sort_unstable();
    told
}

/// Tells all that is due.
async fn tell(bench: &Bench) {
    for due in bench.ledger.due_alerts(100).await.unwrap() {
        let until = bench.in_secs(60);
        assert!(bench.ledger.claim_alert(&due, until).await.unwrap());
        let settled = bench.ledger.settle_alert(&due.alert.id, until, AlertState::Delivered, bench.clock.now()).await;
        assert!(settled.unwrap());
    }
}

#[tokio::test]
async fn each_level_is_told_once_a_window() {
    let bench = Bench::new().await;
    let customer = bench.customer(10_000).await;
    let (day, month) = (Some(nanos(100)), Some(nanos(1000)));
    listens(&bench, &customer, BudgetLimits { day, month, ..BudgetLimits::default() }).await;
    spend(&bench, &customer, "a", 49, None).await;
    assert_eq!(bench.ledger.raise_alerts().await.unwrap(), 0);
    spend(&bench, &customer, "b", 1, None).await;
    assert_eq!(bench.ledger.raise_alerts().await.unwrap(), 1);
    assert_eq!(bench.ledger.raise_alerts().await.unwrap(), 0, "noticed before");
    assert_eq!(due(&bench.ledger).await, [(Window::Day, 50)]);
    let alert = bench.ledger.due_alerts(1).await.unwrap().remove(0).alert;
    assert_eq!((alert.scope, alert.budget, alert.spent), (AlertScope::Account, nanos(100), nanos(50)));
    tell(&bench).await;
    assert_eq!(due(&bench.ledger).await, []);

    // Two levels at once: the higher is told, the lower is not told later.
    spend(&bench, &customer, "c", 41, None).await;
    assert_eq!(bench.ledger.raise_alerts().await.unwrap(), 2);
    assert_eq!(due(&bench.ledger).await, [(Window::Day, 90)]);
    tell(&bench).await;
    spend(&bench, &customer, "d", 1000, None).await;
    bench.ledger.raise_alerts().await.unwrap();
    assert_eq!(due(&bench.ledger).await, [(Window::Day, 100), (Window::Month, 100)]);
    tell(&bench).await;

    // The next day is another window, the month is the same.
    bench.hand.advance(DAY);
    assert_eq!(bench.ledger.raise_alerts().await.unwrap(), 0);
    spend(&bench, &customer, "e", 75, None).await;
    bench.ledger.raise_alerts().await.unwrap();
    assert_eq!(due(&bench.another().await).await, [(Window::Day, 75)], "also after a restart");
    bench.verified().await;
}

#[tokio::test]
async fn a_chain_of_keys_has_its_budget_watched() {
    let bench = Bench::new().await;
    let customer = bench.customer(10_000).await;
    listens(&bench, &customer, BudgetLimits::default()).await;
    let budgets = BudgetLimits { lifetime: Some(nanos(100)), ..BudgetLimits::default() };
    let terms = KeyTerms { policy: KeyPolicy { budgets, ..KeyPolicy::default() }, ..key_of(&customer, "a key") };
    let first = bench.ledger.create_key(terms, &Actor::operator()).await.unwrap().record.id;
    let free = bench.ledger.create_key(key_of(&customer, "without"), &Actor::operator()).await.unwrap().record.id;
    spend(&bench, &customer, "a", 40, Some(&first)).await;
    spend(&bench, &customer, "b", 1000, Some(&free)).await;
    let second = bench.ledger.rotate_key(&first, DAY, &Actor::operator()).await.unwrap().record.id;
    assert_eq!(bench.ledger.raise_alerts().await.unwrap(), 0);
    spend(&bench, &customer, "c", 10, Some(&second)).await;
    bench.ledger.raise_alerts().await.unwrap();
    let due = bench.ledger.due_alerts(10).await.unwrap();
    let told: Vec<_> = due.iter().map(|due| (due.alert.scope.clone(), due.alert.window, due.alert.level)).collect();
    assert_eq!(told, [(AlertScope::Key(first), Window::Lifetime, 50)]);
    bench.verified().await;
}

#[tokio::test]
async fn of_two_gateways_one_tells() {
    let bench = Bench::new().await;
    let customer = bench.customer(10_000).await;
    listens(&bench, &customer, BudgetLimits { day: Some(nanos(10)), ..BudgetLimits::default() }).await;
    spend(&bench, &customer, "a", 10, None).await;
    bench.ledger.raise_alerts().await.unwrap();
    let other = bench.another().await;
    assert_eq!(other.raise_alerts().await.unwrap(), 0, "raised by the first");
    let seen: Vec<DueAlert> = other.due_alerts(10).await.unwrap();
    let until = bench.in_secs(60);
    assert!(bench.ledger.claim_alert(&seen[0], until).await.unwrap());
    assert!(!other.claim_alert(&seen[0], until).await.unwrap(), "taken");
    assert_eq!(other.due_alerts(10).await.unwrap(), [], "while it is being told");

    // The first dies; after a minute it is anybody's again, and is known to have been tried.
    bench.hand.advance(Duration::from_secs(60));
    let again = other.due_alerts(10).await.unwrap().remove(0);
    assert_eq!((again.attempts, again.secret.as_str(), again.url.as_str()), (1, "whsec_1", URL));
    let until = bench.in_secs(60);
    assert!(other.claim_alert(&again, until).await.unwrap());
    let later = bench.in_secs(600);
    assert!(other.settle_alert(&again.alert.id, until, AlertState::Due, later).await.unwrap());
    assert_eq!(other.due_alerts(10).await.unwrap(), []);
    bench.hand.advance(Duration::from_secs(600));
    assert_eq!(other.due_alerts(10).await.unwrap().len(), 1);
    bench.verified().await;
}

#[tokio::test]
async fn who_wants_to_hear_no_more_hears_no_more() {
    let bench = Bench::new().await;
    let customer = bench.customer(10_000).await;
    let missing = bench.ledger.remove_alert_hook(&customer, &Actor::operator()).await.unwrap_err();
    assert!(matches!(missing, LedgerError::NotFound { what: "alert hook", .. }), "{missing}");
    listens(&bench, &customer, BudgetLimits { day: Some(nanos(10)), ..BudgetLimits::default() }).await;
    spend(&bench, &customer, "a", 10, None).await;
    bench.ledger.raise_alerts().await.unwrap();
    let hook = bench.ledger.remove_alert_hook(&customer, &Actor::operator()).await.unwrap();
    assert_eq!((hook.url.as_str(), bench.ledger.alert_hook(&customer).await.unwrap()), (URL, None));
    assert_eq!(bench.ledger.due_alerts(10).await.unwrap(), []);
    let nothing = BudgetLimits { day: Some(nanos(0)), ..BudgetLimits::default() };
    let wrong = bench.ledger.put_alert_hook(&customer, URL, nothing, "s", &Actor::operator()).await.unwrap_err();
    assert!(wrong.to_string().contains("budgets.day"), "{wrong}");
    let audit = bench.ledger.audit(&customer, None, 2).await.unwrap();
    assert_eq!(
        audit.iter().map(|entry| entry.action.to_string()).collect::<Vec<_>>(),
        ["alerts.removed", "alerts.changed"]
    );
    assert!(!format!("{audit:?}").contains("whsec_1"));
    bench.verified().await;
}
