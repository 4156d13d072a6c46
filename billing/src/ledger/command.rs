//! What the writer may be asked to do. Each command carries the channel for its answer.

use std::time::Duration;

use tokio::sync::oneshot;

use super::proof::Checkpoint;
use super::rows::{AlertRow, HookRow, KeyRow, MemberRow, NodeRow, ShareRow};
use super::types::{
    Account, AlertHook, AlertState, Capture, Captured, Credit, Credited, Deposit, Dispute, DisputeEnd, Extend, Granted,
    Hold, Moved, NewHold, NewShare, Refund, RefundEnd, Shared, Tenure,
};
use crate::access::{Actor, Member};
use crate::clock::Timestamp;
use crate::error::LedgerError;
use crate::id::{AccountId, HoldId, KeyId, OwnerId, Reference, SubjectId};
use crate::key::{KeyChange, KeyRecord};
use crate::money::Nanos;

/// Where the answer goes. A caller who has left does not stop the command.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, LedgerError>>;

/// An alert that is due since `due_at` and moves on.
pub(crate) struct AlertStep {
    pub(crate) id: String,
    pub(crate) due_at: i64,
    pub(crate) state: AlertState,
    pub(crate) next_at: i64,
    /// Whether this is a try to tell it.
    pub(crate) counts: bool,
}

pub(crate) enum Command {
    OpenAccount { id: AccountId, name: String, actor: Actor, reply: Reply<Account> },
    Freeze { account: AccountId, frozen: bool, actor: Actor, reply: Reply<Account> },
    Credit { credit: Credit, actor: Actor, reply: Reply<Credited> },
    Deposit { deposit: Deposit, actor: Actor, reply: Reply<Moved> },
    Refund { refund: Refund, actor: Actor, reply: Reply<Moved> },
    EndRefund { refund: Reference, end: RefundEnd, actor: Actor, reply: Reply<Moved> },
    Dispute { dispute: Dispute, actor: Actor, reply: Reply<Moved> },
    EndDispute { dispute: Reference, end: DisputeEnd, actor: Actor, reply: Reply<Moved> },
    Hold { hold: NewHold, reply: Reply<Granted> },
    Extend { extend: Extend, reply: Reply<Granted> },
    Renew { holds: Vec<HoldId>, expires_at: Timestamp, reply: Reply<Vec<HoldId>> },
    Shrink { parts: Vec<(HoldId, Nanos)>, reply: Reply<()> },
    Capture { captures: Vec<Capture>, reply: Reply<Vec<Result<Captured, LedgerError>>> },
    Release { hold: HoldId, reply: Reply<Hold> },
    ReleaseOwner { owner: OwnerId, reply: Reply<u64> },
    TakeOver { owner: OwnerId, reply: Reply<Tenure> },
    InTenure { tenure: Tenure, command: Box<Command> }, // only for the latest process of an owner
    Share { share: NewShare, reply: Reply<Shared> },
    KeepShares { shares: Vec<ShareRow>, reply: Reply<()> },
    Sweep { reply: Reply<u64> },
    PutHook { hook: HookRow, actor: Actor, reply: Reply<AlertHook> },
    RemoveHook { account: AccountId, actor: Actor, reply: Reply<AlertHook> },
    RaiseAlerts { alerts: Vec<AlertRow>, reply: Reply<u64> },
    StepAlert { step: AlertStep, reply: Reply<bool> },
    KeepNodes { nodes: Vec<NodeRow>, reply: Reply<()> },
    KeepCheckpoint { checkpoint: Checkpoint, reply: Reply<()> },
    CreateKey { key: KeyRow, actor: Actor, reply: Reply<KeyRecord> },
    UpdateKey { key: KeyId, change: KeyChange, actor: Actor, reply: Reply<KeyRecord> },
    RotateKey { key: KeyId, successor: KeyRow, overlap: Duration, actor: Actor, reply: Reply<KeyRecord> },
    RevokeKey { key: KeyId, actor: Actor, reply: Reply<KeyRecord> },
    PutMember { member: MemberRow, actor: Actor, reply: Reply<Member> },
    RemoveMember { account: AccountId, subject: SubjectId, actor: Actor, reply: Reply<Member> },
}

impl Command {
    /// Answers that nothing was done.
    pub(crate) fn refuse(self, error: LedgerError) {
        // A caller who has left needs no answer, hence the ignored results.
        match self {
            Self::OpenAccount { reply, .. } | Self::Freeze { reply, .. } => drop(reply.send(Err(error))),
            Self::Credit { reply, .. } => drop(reply.send(Err(error))),
            Self::Deposit { reply, .. }
            | Self::Refund { reply, .. }
            | Self::EndRefund { reply, .. }
            | Self::Dispute { reply, .. }
            | Self::EndDispute { reply, .. } => drop(reply.send(Err(error))),
            Self::Hold { reply, .. } | Self::Extend { reply, .. } => drop(reply.send(Err(error))),
            Self::Renew { reply, .. } => drop(reply.send(Err(error))),
            Self::Capture { reply, .. } => drop(reply.send(Err(error))),
            Self::Shrink { reply, .. } => drop(reply.send(Err(error))),
            Self::TakeOver { reply, .. } => drop(reply.send(Err(error))),
            Self::InTenure { command, .. } => command.refuse(error),
            Self::Release { reply, .. } => drop(reply.send(Err(error))),
            Self::ReleaseOwner { reply, .. } | Self::Sweep { reply } => drop(reply.send(Err(error))),
            Self::PutHook { reply, .. } | Self::RemoveHook { reply, .. } => drop(reply.send(Err(error))),
            Self::Share { reply, .. } => drop(reply.send(Err(error))),
            Self::RaiseAlerts { reply, .. } => drop(reply.send(Err(error))),
            Self::StepAlert { reply, .. } => drop(reply.send(Err(error))),
            Self::KeepNodes { reply, .. } | Self::KeepCheckpoint { reply, .. } | Self::KeepShares { reply, .. } => {
                drop(reply.send(Err(error)));
            }
            Self::CreateKey { reply, .. }
            | Self::UpdateKey { reply, .. }
            | Self::RotateKey { reply, .. }
            | Self::RevokeKey { reply, .. } => drop(reply.send(Err(error))),
            Self::PutMember { reply, .. } | Self::RemoveMember { reply, .. } => drop(reply.send(Err(error))),
        }
    }
}

/// An answer that waits for the commit: `None` sends it, `Some` sends the failure instead.
pub(crate) type Settle = Box<dyn FnOnce(Option<&LedgerError>) + Send>;

/// Keeps `result` until the batch is durable.
pub(crate) fn settle<T: Send + 'static>(reply: Reply<T>, result: Result<T, LedgerError>) -> Settle {
    Box::new(move |failure| {
        let answer = match failure {
            None => result,
            Some(failure) => Err(failure.clone()),
        };
        drop(reply.send(answer));
    })
}
