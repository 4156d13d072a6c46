//! `/v1/ledger/…`: what a caller needs to check the ledger for themselves.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use peerway_billing::{Proof, RequestId, Scope};
use peerway_openapi::statement::Checkpoint;
use peerway_openapi::{ApiError, ErrorKind};

use super::account::{Wanted, receipt_of};
use super::extract::Asked;
use super::reply::{json, or_refuse, refused};
use crate::Gateway;
use crate::access::Principal;

type Shared = State<Arc<Gateway>>;
type Caller = Extension<Arc<Principal>>;

/// `GET /v1/ledger/checkpoint`.
pub async fn checkpoint(State(gateway): Shared) -> Response {
    let answer = async {
        let newest = gateway.ledger.newest_checkpoint().await.map_err(|cause| refused(cause, "id"))?;
        let newest = newest.ok_or_else(|| ApiError::new(ErrorKind::NotFound, "Nothing has been signed yet."))?;
        let peerway_billing::Checkpoint { seq, hash, root, at, key, signature } = newest;
        json(StatusCode::OK, &Checkpoint { seq, hash, root, at: at.as_millis(), key, signature })
    };
    or_refuse(answer.await)
}

/// `GET /v1/ledger/proof?request=…`, of a request or of an answer.
pub async fn proof(State(gateway): Shared, Extension(principal): Caller, Asked(asked): Asked<Wanted>) -> Response {
    let answer = async {
        principal.require(Scope::UsageRead)?;
        let receipt = receipt_of(&gateway, &principal, asked.request, "request").await?;
        json(StatusCode::OK, &proven(&gateway, &receipt.request).await?)
    };
    or_refuse(answer.await)
}

/// A charge that is newer than the newest checkpoint has one made for it.
async fn proven(gateway: &Gateway, request: &RequestId) -> Result<Proof, ApiError> {
    let failed = |cause| refused(cause, "request");
    if let Some(proof) = gateway.ledger.proof(request).await.map_err(failed)? {
        return Ok(proof);
    }
    gateway.signer.sign().await.map_err(failed)?;
    let proof = gateway.ledger.proof(request).await.map_err(failed)?;
    proof.ok_or_else(|| ApiError::new(ErrorKind::LedgerUnavailable, "The ledger could not be signed. Try again."))
}
