//! Everything that comes before a node is asked: the first model of a plan that can be asked at all.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use peerway_billing::{TokenCount, affordable_completion};
use peerway_openapi::ApiError;
use peerway_openapi::relay::ForNode;

use super::admit::{self, Admission, Terms};
use super::estimate::Estimate;
use super::plan::{Choice, Plan, falls_back};
use super::{Ask, Caller, Work, internal};
use crate::catalog::CatalogModel;
use crate::dispatch::{Asking, Attempts, Most};
use crate::meter::Bill;
use crate::route::{Lesson, Requirement, Wishes};

/// A request that is ready for the nodes of one model.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) model: Arc<CatalogModel>,
    /// What nodes are asked.
    pub(super) asking: Asking,
    /// What a node must be able to do.
    pub(super) requirements: Arc<[Requirement]>,
    /// What the caller wishes of them.
    pub(super) wishes: Arc<Wishes>,
    pub(super) estimate: Estimate,
    pub(super) attempts: Attempts,
    pub(super) bill: Bill,
    /// What the answer teaches.
    pub(super) lesson: Arc<Lesson>,
    /// Why these nodes, where the caller asked.
    pub(super) explanation: Option<HeaderValue>,
}

/// Prepares a request for the next model of the plan that can serve it.
///
/// # Errors
/// What rules out the first of them, where none can; or what no model can help, such as want of credit.
pub(super) async fn prepare(caller: &Caller, ask: &Ask, plan: &mut Plan) -> Result<Prepared, ApiError> {
    let mut first_error = None;
    while let Some(choice) = plan.next() {
        match for_model(caller, ask, &choice).await {
            Err(error) if falls_back(&error) => {
                first_error.get_or_insert(error);
            }
            decided => return decided,
        }
    }
    Err(first_error.unwrap_or_else(|| internal("a plan without models", &"none is left")))
}

async fn for_model(caller: &Caller, ask: &Ask, choice: &Choice) -> Result<Prepared, ApiError> {
    let Choice { model, wishes, hedges } = choice;
    let gateway = &caller.gateway;
    let estimate = Estimate::of(ask, model, gateway.config.default_max_tokens)?;
    let requirements = ask.work.requirements();
    let conversation = match &ask.work {
        Work::Chat(request) => {
            Some(gateway.learnt.affinity.conversation(caller.principal.account.as_str(), &model.card.id, request))
        }
        Work::Completion(_) => None,
    };
    let cached = conversation.as_ref().and_then(|conversation| gateway.learnt.affinity.holder(conversation));
    let terms = Terms { requirements: &requirements, wishes, cached };
    let Admission { picks, dearest, bill, explanation } = admit::admit(caller, model, &estimate, terms).await?;
    let prompt = TokenCount::new(estimate.most_prompt(), 0, 0);
    let affordable = affordable_completion(&dearest, gateway.fee, prompt, bill.held());
    let limit = (affordable / estimate.choices).min(estimate.completion);
    let most = Most { tokens: limit, answers: estimate.choices };
    // A single answer can be gone on with, where its tokens are known.
    let added = ForNode { token_ids: most.answers == 1, resume: None };
    let body = ask.work.for_nodes(&model.card.id, limit, added);
    let body = body.map_err(|cause| internal("a request could not be written", &cause))?;
    let first_token = Duration::from_secs(gateway.config.first_token_timeout_s);
    Ok(Prepared {
        model: Arc::clone(model),
        asking: Asking {
            form: ask.work.form(),
            most,
            body,
            prompt: estimate.most_prompt(),
            first_token,
            hedges: *hedges,
        },
        requirements: requirements.into(),
        wishes: Arc::clone(wishes),
        attempts: Attempts::new(picks, Arc::clone(&gateway.retries)),
        bill,
        lesson: Arc::new(Lesson {
            learnt: Arc::clone(&gateway.learnt),
            model: model.card.id.clone(),
            choices: estimate.choices,
            conversation,
            cached,
        }),
        explanation,
        estimate,
    })
}
