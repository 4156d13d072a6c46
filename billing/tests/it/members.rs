//! Members: the people of an account, and what they may do there.

use std::time::Duration;

use peerway_billing::{AccountId, Action, Actor, LedgerError, Member, Role, Scope};

use super::support::{Bench, START, subject};

async fn put(bench: &Bench, account: &AccountId, name: &str, role: Role) -> Result<Member, LedgerError> {
    bench.ledger.put_member(account, &subject(name), role, name, &Actor::operator()).await
}

#[tokio::test]
async fn people_are_added_changed_and_removed() {
    let bench = Bench::new().await;
    let (account, other) = (bench.customer(0).await, bench.customer(0).await);
    let owner = put(&bench, &account, "olga", Role::Owner).await.unwrap();
    assert_eq!((owner.role, owner.created_at, owner.name.as_str()), (Role::Owner, START, "olga"));
    bench.hand.advance(Duration::from_secs(5));
    let viewer = put(&bench, &account, "vera", Role::Viewer).await.unwrap();
    put(&bench, &other, "vera", Role::Owner).await.unwrap();

    bench.hand.advance(Duration::from_secs(5));
    let promoted = put(&bench, &account, "vera", Role::Developer).await.unwrap();
    assert_eq!(promoted, Member { role: Role::Developer, ..viewer });
    assert_eq!(bench.ledger.members(&account).await.unwrap(), [owner.clone(), promoted.clone()]);
    let roles: Vec<Role> =
        bench.ledger.memberships(&subject("vera")).await.unwrap().iter().map(|member| member.role).collect();
    assert_eq!(roles, [Role::Developer, Role::Owner], "in the order of the accounts, which is that of their making");

    let head = bench.ledger.head().await.unwrap();
    assert_eq!(put(&bench, &account, "vera", Role::Developer).await.unwrap(), promoted);
    assert_eq!(bench.ledger.head().await.unwrap(), head, "no change is no entry in the log");

    assert_eq!(bench.ledger.remove_member(&account, &subject("vera"), &Actor::operator()).await.unwrap(), promoted);
    assert_eq!(bench.ledger.members(&account).await.unwrap(), [owner]);
    let gone = bench.ledger.remove_member(&account, &subject("vera"), &Actor::operator()).await.unwrap_err();
    assert!(matches!(gone, LedgerError::NotFound { what: "member", .. }), "{gone}");
    let back = put(&bench, &account, "vera", Role::Viewer).await.unwrap();
    assert_eq!(back.created_at, START.after(Duration::from_secs(10)));
    bench.verified().await;
}

#[tokio::test]
async fn the_last_owner_stays() {
    let bench = Bench::new().await;
    let account = bench.customer(0).await;
    let last = Err(LedgerError::LastOwner(account.clone()));
    put(&bench, &account, "olga", Role::Owner).await.unwrap();
    put(&bench, &account, "dora", Role::Developer).await.unwrap();
    assert_eq!(put(&bench, &account, "olga", Role::Billing).await, last);
    assert_eq!(bench.ledger.remove_member(&account, &subject("olga"), &Actor::operator()).await, last);
    put(&bench, &account, "dora", Role::Owner).await.unwrap();

    // Two owners who leave at once: one of them cannot.
    let (olga, dora) = (subject("olga"), subject("dora"));
    let operator = Actor::operator();
    let (one, two) = tokio::join!(
        bench.ledger.remove_member(&account, &olga, &operator),
        bench.ledger.remove_member(&account, &dora, &operator)
    );
    assert_eq!([&one, &two].into_iter().filter(|left| left.is_ok()).count(), 1, "{one:?} {two:?}");
    assert_eq!(bench.ledger.members(&account).await.unwrap().len(), 1);
    bench.verified().await;
}

#[tokio::test]
async fn an_account_has_a_thousand_members_at_most() {
    let bench = Bench::new().await;
    let account = bench.customer(0).await;
    let mut asked = tokio::task::JoinSet::new();
    for index in 0..1002 {
        let (ledger, account) = (bench.ledger.clone(), account.clone());
        asked.spawn(async move {
            let person = subject(&format!("p{index}"));
            ledger.put_member(&account, &person, Role::Viewer, "", &Actor::operator()).await
        });
    }
    let refused: Vec<LedgerError> = asked.join_all().await.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused.len(), 2);
    assert_eq!(refused[0], LedgerError::MembersFull { account: account.clone(), most: 1000 });
    let present = bench.ledger.members(&account).await.unwrap().remove(0);
    let renamed =
        bench.ledger.put_member(&account, &present.subject, Role::Viewer, "renamed", &Actor::operator()).await;
    assert_eq!(renamed.unwrap().name, "renamed", "who is there already can be changed");
    bench.verified().await;
}

#[tokio::test]
async fn only_customers_have_members() {
    let bench = Bench::new().await;
    let nobody = AccountId::new("acct_nobody").unwrap();
    assert!(matches!(put(&bench, &nobody, "x", Role::Owner).await, Err(LedgerError::NotFound { .. })));
    assert!(matches!(put(&bench, &AccountId::platform_fees(), "x", Role::Owner).await, Err(LedgerError::Invalid(_))));
    let account = bench.customer(0).await;
    let two_lines =
        bench.ledger.put_member(&account, &subject("x"), Role::Owner, "two\nlines", &Actor::operator()).await;
    assert!(matches!(two_lines, Err(LedgerError::Invalid(_))));
    let changes = bench.ledger.audit(&account, None, 10).await.unwrap();
    assert_eq!(changes.iter().filter(|entry| entry.action == Action::MemberAdded).count(), 0);
    bench.verified().await;
}

#[test]
fn a_role_is_its_scopes() {
    let words = |role: Role| role.scopes().iter().map(|scope| scope.as_str()).collect::<Vec<_>>();
    assert_eq!(words(Role::Owner).len(), 10);
    assert_eq!(
        words(Role::Billing),
        ["usage:read", "audit:read", "keys:read", "members:read", "billing:read", "billing:write"]
    );
    assert_eq!(words(Role::Developer), ["inference", "usage:read", "keys:read", "keys:write"]);
    assert_eq!(words(Role::Viewer), ["usage:read", "keys:read", "members:read"]);
    assert!(!Scope::Admin.is_in(Role::Billing.scopes()));
}
