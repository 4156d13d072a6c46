//! What a caller is told where a request cannot be served, and what the operator's log is told of it.

use peerway_billing::{AdmitError, BudgetError, Nanos};
use peerway_openapi::{ApiError, ErrorKind};
use peerway_p2p::Candidates;
use tracing::error;

use crate::route::{Need, Refusal, why_not};

pub(super) fn model_not_found(id: &str) -> ApiError {
    let shown: String = id.chars().take(128).collect();
    let message = format!("There is no model `{shown}` here. GET /v1/models lists those there are.");
    ApiError::new(ErrorKind::ModelNotFound, message).at("model")
}

/// No node was picked of these.
pub(super) fn no_node(refusal: Refusal, id: &str, candidates: Candidates<'_>, need: &Need<'_>) -> ApiError {
    let message = match refusal {
        Refusal::NotOffered => format!("No node serves `{id}` at the moment. Try again."),
        Refusal::TooDear => format!("Every node that serves `{id}` asks more than this gateway pays. Try again."),
        Refusal::NoneHealthy => format!("No node that serves `{id}` is healthy at the moment. Try again."),
        Refusal::Incapable(requirement) => {
            let mut message = format!("No node that serves `{id}` follows `{}`.", requirement.capability);
            if need.wishes.lets_drop_parameters() {
                message += " None may drop a parameter unseen, so `provider.require_parameters: false` is not followed; \
                            leave the parameter out.";
            }
            return ApiError::new(ErrorKind::NoEndpointMatches, message).at(requirement.field);
        }
        Refusal::Unwanted(wish) => {
            let why = why_not(candidates, need, &[]);
            let message = format!("No node that serves `{id}` is as `provider` wishes: {why}.");
            return ApiError::new(ErrorKind::NoEndpointMatches, message).at(wish.field());
        }
        Refusal::ContextTooShort => {
            let message = format!("The prompt has {} tokens, more than any node serves.", need.prompt);
            return ApiError::new(ErrorKind::ContextLengthExceeded, message).at("messages");
        }
    };
    ApiError::new(ErrorKind::NoHealthyNode, message)
}

/// No credit was set aside.
pub(super) fn not_admitted(refusal: &AdmitError) -> ApiError {
    match refusal {
        AdmitError::Insufficient { needed, available } => insufficient_credit(*needed, *available),
        AdmitError::Frozen(_) => {
            ApiError::new(ErrorKind::AccountFrozen, "This account is frozen. Ask who runs this gateway.")
        }
        cause => {
            error!(%cause, "a request could not be admitted");
            ApiError::new(ErrorKind::LedgerUnavailable, "Credit cannot be checked at the moment. Try again.")
        }
    }
}

/// A budget of the key or token gives nothing.
pub(super) fn over_budget(refusal: &BudgetError) -> ApiError {
    match refusal {
        BudgetError::Exhausted { window, limit, remaining, resets_at } => {
            let again = resets_at.map_or_else(String::new, |at| format!(" It begins again at {at}."));
            let message = format!(
                "The {window} budget of this key or token is {limit}, and {remaining} of it is left: too little for \
                 this request.{again} Ask its owner for more, or lower max_tokens."
            );
            ApiError::new(ErrorKind::BudgetExhausted, message)
        }
        cause => {
            error!(%cause, "a budget could not be asked");
            ApiError::new(ErrorKind::LedgerUnavailable, "Budgets cannot be checked at the moment. Try again.")
        }
    }
}

fn insufficient_credit(needed: Nanos, available: Nanos) -> ApiError {
    let message = format!(
        "This request may cost {needed} and {available} of credit is available. Add credit, or lower max_tokens."
    );
    ApiError::new(ErrorKind::InsufficientCredit, message)
}

/// A fault of ours.
pub(crate) fn internal(what: &str, cause: &dyn std::fmt::Display) -> ApiError {
    error!(%cause, what, "a fault of the gateway");
    ApiError::new(ErrorKind::Internal, "The gateway made a mistake. You were not charged; try again.")
}
