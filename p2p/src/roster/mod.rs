//! The nodes that are connected to this gateway itself, for other gateways that are told of them.
//!
//! Sessions write what their nodes say; every link has a [`Feed`], which notes what its gateway has not been told yet.
//! Only the newest of each kind is kept: a link that is slow is told less often and never falls behind, and what waits
//! for it is bounded by the nodes there are. A channel of events was rejected: it grows, or it loses something.

mod feed;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use libp2p::PeerId;
use parking_lot::Mutex;
use tokio::sync::Notify;

pub(crate) use feed::{Change, Feed};

use crate::wire::{LoadBody, SignedAdvert};

/// Who is here. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Roster(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    nodes: HashMap<PeerId, Known>,
    feeds: HashMap<u64, Waiting>,
    numbers: u64,
}

#[derive(Debug)]
struct Known {
    /// The entry that it is kept by.
    number: u64,
    advert: SignedAdvert,
    load: Option<LoadBody>,
    draining: bool,
}

/// What a feed has not given out yet.
#[derive(Debug, Default)]
struct Waiting {
    changes: HashMap<PeerId, Pending>,
    loads: HashSet<PeerId>,
    notify: Arc<Notify>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Pending {
    left: bool,
    advert: bool,
    drain: bool,
}

impl Roster {
    /// Takes a node in. It leaves when the entry is dropped.
    pub(crate) fn enter(&self, peer: PeerId, advert: SignedAdvert) -> Entry {
        let mut inner = self.0.lock();
        let number = inner.next_number();
        inner.nodes.insert(peer, Known { number, advert, load: None, draining: false });
        inner.pend(peer, |pending| pending.advert = true);
        Entry { roster: self.clone(), peer, number }
    }

    /// A view that begins with all nodes that are here.
    pub(crate) fn feed(&self) -> Feed {
        let mut inner = self.0.lock();
        let number = inner.next_number();
        let came = Pending { advert: true, ..Pending::default() };
        let changes = inner.nodes.keys().map(|peer| (*peer, came)).collect();
        let waiting = Waiting { changes, ..Waiting::default() };
        let notify = waiting.notify.clone();
        notify.notify_one();
        inner.feeds.insert(number, waiting);
        Feed::new(self.clone(), number, notify)
    }
}

impl Inner {
    fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn pend(&mut self, peer: PeerId, change: impl Fn(&mut Pending)) {
        for waiting in self.feeds.values_mut() {
            change(waiting.changes.entry(peer).or_default());
            waiting.notify.notify_one();
        }
    }
}

/// A node's place in the roster, held by its session.
#[derive(Debug)]
pub(crate) struct Entry {
    roster: Roster,
    peer: PeerId,
    number: u64,
}

impl Entry {
    /// The node sent a newer advert.
    pub(crate) fn advertise(&self, advert: SignedAdvert) {
        self.change(|known| known.advert = advert, |pending| pending.advert = true);
    }

    /// The node wants no further requests.
    pub(crate) fn drain(&self) {
        self.change(|known| known.draining = true, |pending| pending.drain = true);
    }

    /// The node says how busy it is.
    pub(crate) fn report(&self, load: LoadBody) {
        let mut inner = self.roster.0.lock();
        let Some(known) = inner.nodes.get_mut(&self.peer).filter(|known| known.number == self.number) else {
            return;
        };
        known.load = Some(load);
        for waiting in inner.feeds.values_mut() {
            waiting.loads.insert(self.peer);
        }
    }

    fn change(&self, change: impl FnOnce(&mut Known), pend: impl Fn(&mut Pending)) {
        let mut inner = self.roster.0.lock();
        if let Some(known) = inner.nodes.get_mut(&self.peer).filter(|known| known.number == self.number) {
            change(known);
            inner.pend(self.peer, pend);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut inner = self.roster.0.lock();
        if inner.nodes.get(&self.peer).is_some_and(|known| known.number == self.number) {
            inner.nodes.remove(&self.peer);
            inner.pend(self.peer, |pending| *pending = Pending { left: true, ..Pending::default() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advert(payload: &'static str) -> SignedAdvert {
        SignedAdvert { payload: payload.into(), ..SignedAdvert::default() }
    }

    fn came(peer: PeerId, payload: &'static str) -> Change {
        Change::Node { peer, advert: advert(payload), load: None, draining: false }
    }

    #[test]
    fn a_feed_begins_with_who_is_here_and_goes_on_with_the_newest() {
        let (roster, peer) = (Roster::default(), PeerId::random());
        let entry = roster.enter(peer, advert("one"));
        let feed = roster.feed();
        assert_eq!(feed.changes(9), [came(peer, "one")]);
        entry.advertise(advert("two"));
        entry.advertise(advert("three"));
        assert_eq!(feed.changes(9), [came(peer, "three")]);
        entry.drain();
        assert_eq!(feed.changes(9), [Change::Drains(peer)]);
        drop(entry);
        assert_eq!(feed.changes(9), [Change::Left(peer)]);
        assert!(feed.changes(9).is_empty());
    }

    #[test]
    fn who_leaves_and_comes_back_is_told_in_that_order() {
        let (roster, peer) = (Roster::default(), PeerId::random());
        let feed = roster.feed();
        drop(roster.enter(peer, advert("one")));
        let _again = roster.enter(peer, advert("two"));
        assert_eq!(feed.changes(9), [Change::Left(peer), came(peer, "two")]);
    }

    #[test]
    fn an_older_session_does_not_take_the_newer_one_with_it() {
        let (roster, peer) = (Roster::default(), PeerId::random());
        let older = roster.enter(peer, advert("one"));
        let _newer = roster.enter(peer, advert("two"));
        older.advertise(advert("late"));
        drop(older);
        assert_eq!(roster.feed().changes(9), [came(peer, "two")]);
    }

    #[test]
    fn loads_are_told_once_and_the_last_one_only() {
        let (roster, peer) = (Roster::default(), PeerId::random());
        let entry = roster.enter(peer, advert("one"));
        let feed = roster.feed();
        feed.changes(9);
        let running = |running| LoadBody { running, ..LoadBody::default() };
        (1..=50).for_each(|count| entry.report(running(count)));
        assert_eq!(feed.loads(), [(peer, running(50))]);
        assert!(feed.loads().is_empty());
    }

    #[tokio::test]
    async fn what_does_not_fit_is_notified_of_again() {
        let roster = Roster::default();
        let feed = roster.feed();
        let _entries: Vec<Entry> = (0..5).map(|_| roster.enter(PeerId::random(), advert("x"))).collect();
        let mut seen = 0;
        while seen < 5 {
            feed.changed().await;
            let changes = feed.changes(2);
            assert!(changes.len() <= 2);
            seen += changes.len();
        }
    }

    #[test]
    fn a_feed_that_is_gone_costs_nothing() {
        let roster = Roster::default();
        drop(roster.feed());
        assert!(roster.0.lock().feeds.is_empty());
    }
}
