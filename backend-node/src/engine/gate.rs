//! How many requests run, how many wait, and who is turned away.
//!
//! A node that takes more work than it can do makes every caller wait; a node that says "busy" at once lets the gateway
//! ask another. So slots are counted, the queue is bounded, and past both a request is refused without any work.
//! tower's `ConcurrencyLimit` and `LoadShed` were looked at: together they have no bounded queue between the two, and
//! their permit ends with the response head where ours must last as long as the stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Every slot and every place in the queue is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("every slot and every place in the queue is taken")]
pub struct Busy;

/// How full a gate is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Occupancy {
    /// Requests that hold a slot.
    pub running: usize,
    /// Requests in the queue.
    pub waiting: usize,
    /// Slots that nobody holds.
    pub free: usize,
}

/// Slots and a bounded queue before them, first come, first served.
#[derive(Debug)]
pub struct Gate {
    slots: usize,
    queue: usize,
    semaphore: Arc<Semaphore>,
    waiting: AtomicUsize,
    occupancy: watch::Sender<Occupancy>,
}

/// The right to run one request; dropping it lets the next one in.
#[derive(Debug)]
pub struct Slot {
    gate: Arc<Gate>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Gate {
    /// A gate with this many slots (at least one) and places in the queue.
    #[must_use]
    pub fn new(slots: usize, queue: usize) -> Arc<Self> {
        let slots = slots.max(1);
        let occupancy = Occupancy { free: slots, ..Occupancy::default() };
        Arc::new(Self {
            slots,
            queue,
            semaphore: Arc::new(Semaphore::new(slots)),
            waiting: AtomicUsize::new(0),
            occupancy: watch::Sender::new(occupancy),
        })
    }

    /// Waits for a slot, if there is room to wait.
    ///
    /// # Errors
    /// `Busy`, at once, where slots and queue are full.
    pub async fn enter(self: &Arc<Self>) -> Result<Slot, Busy> {
        if let Ok(permit) = self.semaphore.clone().try_acquire_owned() {
            return Ok(self.slot(permit));
        }
        let place = Place::take(self)?;
        let permit = self.semaphore.clone().acquire_owned().await.map_err(|_closed| Busy)?;
        drop(place);
        Ok(self.slot(permit))
    }

    /// A slot that is free and that nobody waits for. None: there is none now.
    #[must_use]
    pub fn spare(self: &Arc<Self>) -> Option<Slot> {
        // The semaphore hands what comes free to those who wait, so that nobody is overtaken.
        let permit = self.semaphore.clone().try_acquire_owned().ok()?;
        Some(self.slot(permit))
    }

    /// The number of slots.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// How full it is, now and with every change.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Occupancy> {
        self.occupancy.subscribe()
    }

    fn slot(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Slot {
        let slot = Slot { gate: self.clone(), permit: Some(permit) };
        self.publish();
        slot
    }

    fn publish(&self) {
        let free = self.semaphore.available_permits();
        let waiting = self.waiting.load(Ordering::Acquire);
        self.occupancy.send_replace(Occupancy { running: self.slots - free, waiting, free });
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.permit = None;
        self.gate.publish();
    }
}

/// A place in the queue.
struct Place<'a>(&'a Gate);

impl<'a> Place<'a> {
    fn take(gate: &'a Gate) -> Result<Self, Busy> {
        let has_room = |waiting| (waiting < gate.queue).then_some(waiting + 1);
        gate.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, has_room).map_err(|_full| Busy)?;
        gate.publish();
        Ok(Self(gate))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
        self.0.publish();
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use futures::poll;

    use super::*;

    #[tokio::test]
    async fn sixty_four_callers_at_once_fill_slots_and_queue_and_the_rest_is_busy() {
        let gate = Gate::new(4, 10);
        let mut entries: Vec<_> = (0..64).map(|_| Box::pin(gate.enter())).collect();
        let mut slots = Vec::new();
        let mut waiting = Vec::new();
        let mut refused = 0;
        for mut entry in entries.drain(..) {
            match poll!(&mut entry) {
                std::task::Poll::Ready(Ok(slot)) => slots.push(slot),
                std::task::Poll::Ready(Err(Busy)) => refused += 1,
                std::task::Poll::Pending => waiting.push(entry),
            }
        }
        assert_eq!((slots.len(), waiting.len(), refused), (4, 10, 50));
        assert_eq!(*gate.watch().borrow(), Occupancy { running: 4, waiting: 10, free: 0 });

        slots.clear();
        let mut served = 0;
        while !waiting.is_empty() {
            let batch: Vec<_> = waiting.drain(..waiting.len().min(4)).collect();
            served += join_all(batch).await.into_iter().filter(Result::is_ok).count();
        }
        assert_eq!(served, 10);
        assert_eq!(*gate.watch().borrow(), Occupancy { running: 0, waiting: 0, free: 4 });
    }

    #[tokio::test]
    async fn who_leaves_the_queue_gives_the_place_back() {
        let gate = Gate::new(1, 1);
        let slot = gate.enter().await.unwrap();
        let mut waiting = Box::pin(gate.enter());
        assert!(poll!(&mut waiting).is_pending());
        assert!(matches!(poll!(Box::pin(gate.enter())), std::task::Poll::Ready(Err(Busy))));
        drop(waiting);
        let mut next = Box::pin(gate.enter());
        assert!(poll!(&mut next).is_pending());
        drop(slot);
        assert!(next.await.is_ok());
    }
}
