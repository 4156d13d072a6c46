//! Who may be in mistral.rs's engine.
//!
//! On a CPU: one answer at a time. mistral.rs 0.8.1 batches sequences of equal length, and its attention kernel for CPUs
//! keeps one scratch space for the whole batch: every sequence of it goes on with the last one's text, so that one caller
//! is told what another asked. Batching cannot be switched off, and it gains nothing there: a CPU's product of a batch
//! takes as long as the products one by one. On an accelerator other kernels run, and as many answers as there are slots.
//!
//! A turn ends when the engine has let go of the answer. That is not when the caller has: the engine notices a caller that
//! left only after the step it is in, and a caller who reads slowly, or not at all, must not keep others waiting.

use std::sync::Arc;
use std::time::Duration;

use mistralrs::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// How often the engine's end of an answer is looked for after its caller has left. A step takes some milliseconds.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Hands out turns, first come, first served.
#[derive(Debug, Clone)]
pub(super) struct Turns(Arc<Semaphore>);

impl Turns {
    pub(super) fn new(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count.max(1))))
    }

    /// Waits for a turn.
    pub(super) async fn next(&self) -> Turn {
        // The semaphore is never closed; without a permit the turn would only be less exclusive.
        Turn { _permit: self.0.clone().acquire_owned().await.ok() }
    }
}

/// A turn. It ends when it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _permit: Option<OwnedSemaphorePermit>,
}

/// Passes on the engine's messages to one answer, and ends its turn when the engine has let go of it. Dropping the receiver
/// tells the engine to stop. `room`: the most messages that an answer has; so many may wait to be read.
pub(super) fn relay(mut messages: mpsc::Receiver<Response>, turn: Turn, room: usize) -> mpsc::Receiver<Response> {
    let (reader, passed) = mpsc::channel(room);
    tokio::spawn(async move {
        loop {
            let message = tokio::select! {
                message = messages.recv() => message,
                () = reader.closed() => break,
            };
            let Some(message) = message else { break };
            if reader.try_send(message).is_err() {
                break;
            }
        }
        messages.close();
        let_go(&messages).await;
        drop(turn);
    });
    passed
}

/// Waits until the engine has dropped its end. A closed channel tells its receiver at once that no more will come, so
/// there is nothing to await: the engine's end is looked for until it is gone.
async fn let_go(messages: &mpsc::Receiver<Response>) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    while messages.sender_strong_count() > 0 {
        ticks.tick().await;
    }
}

#[cfg(test)]
mod tests {
    use futures::poll;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_turn_ends_when_the_engine_has_let_go() {
        let turns = Turns::new(1);
        let (engine, messages) = mpsc::channel(1);
        let passed = relay(messages, turns.next().await, 4);
        let mut next = Box::pin(turns.next());
        assert!(poll!(&mut next).is_pending());
        drop(passed);
        engine.closed().await;
        // On the paused clock: long enough for the relay to have looked many times.
        tokio::time::sleep(LOOK_EVERY * 100).await;
        assert!(poll!(&mut next).is_pending(), "the engine still holds the answer");
        drop(engine);
        next.await;
    }

    #[tokio::test]
    async fn who_does_not_read_keeps_nobody_waiting() {
        let turns = Turns::new(1);
        let (engine, messages) = mpsc::channel(1);
        let mut unread = relay(messages, turns.next().await, 4);
        for _ in 0..3 {
            engine.send(Response::InternalError("x".into())).await.unwrap();
        }
        drop(engine);
        turns.next().await;
        assert!(unread.recv().await.is_some());
    }
}
