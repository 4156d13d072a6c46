//! From a request to the nodes that may serve it and the credit that is set aside for it.

use http::HeaderValue;
use peerway_billing::{Amount, IdError, OperatorId, Price, RequestId as BillingId, Reserved};
use peerway_openapi::ApiError;

use super::estimate::Estimate;
use super::{Caller, headers, refusals};
use crate::catalog::CatalogModel;
use crate::meter::{Bill, Seller, SetAside};
use crate::route::{Cached, Need, Pick, Requirement, Wishes, explain, rank};

/// Credit set aside, and who may earn it.
#[derive(Debug)]
pub(super) struct Admission {
    /// The nodes to try, the best first.
    pub(super) picks: Vec<Pick>,
    /// The highest price that may be paid, whichever of them serves.
    pub(super) dearest: Price,
    /// The bill, with the hold in it: dropped unpaid it gives the hold back.
    pub(super) bill: Bill,
    /// Why these nodes, where the caller asked.
    pub(super) explanation: Option<HeaderValue>,
}

/// What decides which nodes may serve, beside the request's size.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms<'a> {
    /// What a node must be able to do.
    pub(super) requirements: &'a [Requirement],
    /// What the caller wishes.
    pub(super) wishes: &'a Wishes,
    /// Who is expected to know the prompt's beginning.
    pub(super) cached: Option<Cached>,
}

/// Picks nodes and sets aside what the dearest of them may cost: of the caller's tokens a minute, of every budget, and of
/// the account's credit, in this order, because what is refused first costs least to give back.
pub(super) async fn admit(
    caller: &Caller,
    model: &CatalogModel,
    estimate: &Estimate,
    Terms { requirements, wishes, cached }: Terms<'_>,
) -> Result<Admission, ApiError> {
    let Caller { gateway, principal, id, .. } = caller;
    let (snapshot, model_id) = (gateway.peers.directory().snapshot(), &model.card.id);
    let likely = gateway.learnt.habits.likely_completion(model_id, estimate.completion);
    let need = Need {
        prompt: estimate.longest_prompt,
        paid_prompt: estimate.prompt,
        completion: estimate.completion,
        likely_completion: likely.saturating_mul(estimate.choices),
        requirements,
        price_cap: model.price_cap,
        fee: gateway.fee,
        wishes,
        cached,
        seed: rand::random(),
        now_ms: gateway.peers.directory().now_ms(),
    };
    let candidates = snapshot.candidates(model_id);
    let picks = rank(candidates.rows(), &need, &[])
        .map_err(|refusal| refusals::no_node(refusal, model_id, candidates, &need))?;
    let explanation = caller
        .wants_explanation
        .then(|| headers::explanation(explain(model_id, candidates.rows(), &need, &picks)))
        .flatten();
    let dearest = dearest(&picks);
    let amount = estimate
        .amount(&dearest, gateway.fee)
        .map_err(|cause| refusals::internal("a request's price does not fit the ledger", &cause))?;
    if let Some(ticket) = &caller.ticket {
        ticket.take_tokens(estimate.likely_tokens())?;
    }
    let (budgets, amount) = reserve(caller, amount).await?;
    let request =
        BillingId::new(id.to_string()).map_err(|cause| refusals::internal("a request id is no id", &cause))?;
    let hold = gateway.till.admit(request, &principal.account, amount).await;
    let hold = hold.map_err(|refusal| refusals::not_admitted(&refusal))?;
    let set_aside = SetAside::new(hold, budgets, caller.ticket.clone());
    let spender = (principal.key.clone(), principal.token.clone());
    let bill = Bill::new(set_aside, spender, model.card.id.clone(), gateway.fee, estimate);
    Ok(Admission { picks, dearest, bill, explanation })
}

/// A part of every budget, each as much as the one before left; and what is then left to ask of the account.
async fn reserve(caller: &Caller, mut amount: Amount) -> Result<(Vec<Reserved>, Amount), ApiError> {
    let mut budgets = Vec::new();
    for (scope, limits) in caller.principal.budgets() {
        let reserved = caller.gateway.budgets.reserve(scope, limits, amount).await;
        let reserved = reserved.map_err(|refusal| refusals::over_budget(&refusal))?;
        amount.most = amount.most.min(reserved.amount());
        budgets.push(reserved);
    }
    Ok((budgets, amount))
}

/// The highest price that this request may pay, whichever of the picks serves it.
fn dearest(picks: &[Pick]) -> Price {
    picks.iter().fold(Price::default(), |dearest, pick| Price {
        input: dearest.input.max(pick.price.input),
        cached_input: dearest.cached_input.max(pick.price.cached_input),
        output: dearest.output.max(pick.price.output),
    })
}

/// Who sells what a picked node delivers.
pub(super) fn seller(pick: &Pick) -> Result<Seller, ApiError> {
    let node = pick.candidate.peer_id().to_string();
    let operator =
        payee(pick.candidate.operator(), &node).map_err(|cause| refusals::internal("a peer id is no id", &cause))?;
    Ok(Seller { node, operator, price: pick.price })
}

/// Who is paid: the operator that the node names, or the node itself where it names none or one that no account can
/// have. A name is a node's own word, so a bad one must not cost the caller an answer.
fn payee(operator: Option<&str>, node: &str) -> Result<OperatorId, IdError> {
    operator.map_or_else(|| OperatorId::new(node), |name| OperatorId::new(name).or_else(|_| OperatorId::new(node)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_with_an_unusable_operator_is_paid_itself() {
        let paid = |operator| payee(operator, "12D3KooW").unwrap().to_string();
        assert_eq!(paid(Some("alice")), "alice");
        for unusable in [None, Some("two words"), Some("\u{e4}")] {
            assert_eq!(paid(unusable), "12D3KooW", "{unusable:?}");
        }
    }
}
