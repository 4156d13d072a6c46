//! Numbers that many tasks share, kept side by side.
//!
//! A choice reads the load and the record of every seller of a model. Each in an allocation of its own was tried: five
//! hundred sellers were a thousand pages of memory, and the processor waited for them. Here they lie in few large
//! segments, those of one group (the sellers of one model) in runs of neighbours, and rows name them by number: a number
//! costs nothing to copy, where a counted pointer touches what it points to.
//!
//! A place is free when its last holder is dropped. A run goes back whole and may then serve another group, so that
//! names that come and go do not use it up. Segments stay: there are never more than were needed at once.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicU32, Ordering::Acquire, Ordering::Relaxed, Ordering::Release, fence};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

/// Places of a run: a kilobyte of neighbours, and no more lost to a group of one.
const RUN: u32 = 16;
/// Each segment is twice as large as the one before, so these hold more than can be numbered.
const SEGMENTS: usize = 28;

/// What a place holds. It is used again without being moved.
pub(super) trait Reused: Default {
    /// Makes it as it was at first.
    fn renew(&self);
}

/// See the module. Cheap to clone; clones are the same arena.
#[derive(Debug)]
pub(super) struct Arena<T>(Arc<Inner<T>>);

#[derive(Debug)]
struct Inner<T> {
    segments: [OnceLock<Box<[Slot<T>]>>; SEGMENTS],
    runs: Mutex<Runs>,
}

/// Aligned so that it lies in one line of the processor's cache.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Slot<T> {
    value: T,
    holders: AtomicU32,
}

impl<T> Clone for Arena<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        let segments = std::array::from_fn(|_| OnceLock::new());
        Self(Arc::new(Inner { segments, runs: Mutex::default() }))
    }
}

impl<T: Reused> Arena<T> {
    /// A free place among its group's.
    pub(super) fn take(&self, group: &str) -> Place<T> {
        let number = self.0.runs.lock().take(group);
        let slot = self.0.slot(number);
        slot.value.renew();
        slot.holders.store(1, Relaxed);
        Place { arena: self.clone(), number }
    }

    /// What is at a place. Meant for whoever knows that somebody holds it; otherwise it may be another's.
    #[inline]
    pub(super) fn at(&self, number: u32) -> &T {
        &self.0.slot(number).value
    }
}

impl<T: Default> Inner<T> {
    #[inline]
    fn slot(&self, number: u32) -> &Slot<T> {
        let place = u64::from(number) + u64::from(RUN);
        let doubled = place.ilog2() - RUN.ilog2();
        let size = u64::from(RUN) << doubled;
        let segment = self.segments[doubled as usize].get_or_init(|| (0..size).map(|_| Slot::default()).collect());
        &segment[usize::try_from(place - size).unwrap_or(usize::MAX)]
    }
}

/// A place in an arena, held. Cheap to clone; clones are the same place.
#[derive(Debug)]
pub(super) struct Place<T: Reused> {
    arena: Arena<T>,
    number: u32,
}

impl<T: Reused> Place<T> {
    /// By which [`Arena::at`] finds it.
    pub(super) fn number(&self) -> u32 {
        self.number
    }
}

impl<T: Reused> Deref for Place<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.arena.at(self.number)
    }
}

impl<T: Reused> Clone for Place<T> {
    fn clone(&self) -> Self {
        self.arena.0.slot(self.number).holders.fetch_add(1, Relaxed);
        Self { arena: self.arena.clone(), number: self.number }
    }
}

impl<T: Reused> Drop for Place<T> {
    fn drop(&mut self) {
        if self.arena.0.slot(self.number).holders.fetch_sub(1, Release) == 1 {
            // As in `Arc`: whoever gets the place next sees all that was done to it before.
            fence(Acquire);
            self.arena.0.runs.lock().give_back(self.number);
        }
    }
}

/// Which places are free.
#[derive(Debug, Default)]
struct Runs {
    all: Vec<Run>,
    /// Those that are nobody's.
    idle: Vec<u32>,
    /// The runs of a group that have room.
    open: HashMap<Arc<str>, Vec<u32>>,
}

#[derive(Debug)]
struct Run {
    /// A bit for each place that is taken.
    taken: u16,
    group: Arc<str>,
}

/// The bits of a run with no free place.
const FULL: u16 = u16::MAX;
const _: () = assert!(RUN == u16::BITS, "a run has a bit for each place");

impl Runs {
    fn take(&mut self, group: &str) -> u32 {
        let number = match self.open.get(group).and_then(|open| open.last()) {
            Some(number) => *number,
            None => self.begin(group.into()),
        };
        let run = &mut self.all[number as usize];
        let place = run.taken.trailing_ones();
        run.taken |= 1 << place;
        if run.taken == FULL {
            self.close(number);
        }
        number * RUN + place
    }

    fn give_back(&mut self, place: u32) {
        let number = place / RUN;
        let run = &mut self.all[number as usize];
        let was_full = run.taken == FULL;
        run.taken &= !(1 << (place % RUN));
        if was_full {
            self.open.entry(Arc::clone(&run.group)).or_default().push(number);
        } else if run.taken == 0 {
            self.close(number);
            self.idle.push(number);
        }
    }

    /// A run with nothing in it for this group.
    fn begin(&mut self, group: Arc<str>) -> u32 {
        let run = Run { taken: 0, group: Arc::clone(&group) };
        let number = if let Some(number) = self.idle.pop() {
            self.all[number as usize] = run;
            number
        } else {
            self.all.push(run);
            u32::try_from(self.all.len() - 1).unwrap_or(u32::MAX)
        };
        self.open.entry(group).or_default().push(number);
        number
    }

    /// A run has no more room, or goes back.
    fn close(&mut self, number: u32) {
        let group = &self.all[number as usize].group;
        if let Some(open) = self.open.get_mut(group) {
            // Mostly the last one, which is where places are taken.
            if let Some(at) = open.iter().rposition(|other| *other == number) {
                open.swap_remove(at);
            }
            if open.is_empty() {
                self.open.remove(group);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, Default)]
    struct Number(AtomicU32);

    impl Reused for Number {
        fn renew(&self) {
            self.0.store(0, Relaxed);
        }
    }

    fn runs(arena: &Arena<Number>) -> usize {
        arena.0.runs.lock().all.len()
    }

    #[test]
    fn a_place_is_one_holders_until_its_last_clone_is_gone_and_then_as_new() {
        let (arena, mut held) = (Arena::<Number>::default(), BTreeMap::new());
        for step in 0..20_000_u32 {
            let key = step.wrapping_mul(2_654_435_761) % 700;
            if step % 3 == 0 {
                held.remove(&key);
            } else {
                let place = arena.take(["m", "n", "o"][key as usize % 3]);
                assert_eq!(place.0.swap(key, Relaxed), 0, "it was used before and is not as new");
                held.insert(key, (place.clone(), place));
            }
        }
        assert!(held.iter().all(|(key, (place, _))| place.0.load(Relaxed) == *key));
        assert!(held.values().all(|(place, _)| std::ptr::eq(arena.at(place.number()), &raw const **place)));
        let mut half: Vec<_> = held.into_values().map(|(place, clone)| (place.number(), drop(place), clone)).collect();
        half.sort_by_key(|(number, ..)| *number);
        assert!(half.windows(2).all(|two| two[0].0 != two[1].0), "two hold one place");
    }

    #[test]
    fn a_group_lies_together_and_others_elsewhere() {
        let arena = Arena::<Number>::default();
        let held: Vec<_> = (0..20 * RUN).map(|step| (step % 4, arena.take(&(step % 4).to_string()))).collect();
        let group_of =
            |run: u32| held.iter().filter(move |(_, place)| place.number() / RUN == run).map(|(group, _)| *group);
        for run in 0..20 {
            let first = group_of(run).next().unwrap();
            assert!(group_of(run).all(|group| group == first) && group_of(run).count() == RUN as usize, "{run}");
        }
    }

    #[test]
    fn names_that_come_and_go_use_nothing_up() {
        let arena = Arena::<Number>::default();
        let mut held = Vec::new();
        for name in 0..10_000 {
            held.push(arena.take(&name.to_string()));
            if held.len() > 5 {
                held.remove(0);
            }
        }
        assert!(runs(&arena) <= 6, "{}", runs(&arena));
        held.clear();
        assert!(arena.0.runs.lock().open.is_empty());
        // And one that stays fills its holes before it takes more.
        let mut full: Vec<_> = (0..100 * RUN).map(|_| arena.take("m")).collect();
        let mut place = 0;
        full.retain(|_| {
            place += 1;
            place % 2 == 0
        });
        full.extend((0..50 * RUN).map(|_| arena.take("m")));
        assert_eq!(runs(&arena), 100);
    }
}
