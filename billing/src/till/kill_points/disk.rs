//! A disk that crashes, or fails once, at a chosen step.
//!
//! It forgets what a real one may forget: of what was not flushed, any part, and blocks out of order; and a removed file may
//! be there again.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::watch;

use crate::till::journal::{Appending, Disk};

/// What happens at the chosen step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The process dies before the step has had any effect, or with a part of it.
    DiesBefore,
    /// The process dies when the step is done, before it learns so.
    DiesAfter,
    /// The step fails half done, and the next ones work.
    Fails,
}

/// Clones are the same disk.
#[derive(Debug, Clone)]
pub(super) struct CrashingDisk(Arc<State>);

#[derive(Debug)]
struct State {
    inner: Mutex<Inner>,
    dead: watch::Sender<bool>,
}

#[derive(Debug)]
struct Inner {
    files: BTreeMap<String, Contents>,
    removed: BTreeMap<String, Contents>,
    /// All that a flush has covered as a whole, one after the other.
    certain: Vec<u8>,
    steps: u64,
    fault: Option<(u64, Fault)>,
    random: StdRng,
}

#[derive(Debug, Default, Clone)]
struct Contents {
    bytes: Vec<u8>,
    /// So many of them outlive a crash.
    flushed: usize,
}

/// Blocks in which a disk writes.
const BLOCK: usize = 64;

impl CrashingDisk {
    pub(super) fn new(seed: u64, fault: Option<(u64, Fault)>) -> Self {
        Self::of(BTreeMap::new(), StdRng::seed_from_u64(seed), fault)
    }

    fn of(files: BTreeMap<String, Contents>, random: StdRng, fault: Option<(u64, Fault)>) -> Self {
        let inner = Inner { files, removed: BTreeMap::new(), certain: Vec::new(), steps: 0, fault, random };
        Self(Arc::new(State { inner: Mutex::new(inner), dead: watch::Sender::new(false) }))
    }

    /// The process is killed now.
    pub(super) fn kill(&self) {
        self.0.dead.send_replace(true);
    }

    /// Waits until it is killed.
    pub(super) async fn killed(&self) {
        let mut dead = self.0.dead.subscribe();
        drop(dead.wait_for(|dead| *dead).await);
    }

    /// What the next process finds: a disk that works.
    pub(super) fn after_the_crash(&self) -> Self {
        let mut inner = self.0.inner.lock();
        let mut random = StdRng::seed_from_u64(inner.random.random());
        let mut files = inner.files.clone();
        for (name, contents) in &inner.removed {
            if random.random() {
                files.entry(name.clone()).or_insert_with(|| contents.clone());
            }
        }
        for contents in files.values_mut() {
            contents.forget(&mut random);
        }
        Self::of(files, random, None)
    }

    /// Whether `text` was in what a flush covered as a whole.
    pub(super) fn has_flushed(&self, text: &str) -> bool {
        self.0.inner.lock().certain.windows(text.len()).any(|window| window == text.as_bytes())
    }

    /// One step: `whole` is its effect, `half` what may remain of it when it is interrupted.
    fn step<T>(&self, whole: impl FnOnce(&mut Inner) -> io::Result<T>, half: impl FnOnce(&mut Inner)) -> io::Result<T> {
        let mut inner = self.0.inner.lock();
        if *self.0.dead.borrow() {
            return Err(io::Error::other("the process is dead"));
        }
        inner.steps += 1;
        let now = inner.fault.filter(|(step, _)| *step == inner.steps).map(|(_, fault)| fault);
        match now {
            None => whole(&mut inner),
            Some(Fault::DiesBefore) => {
                half(&mut inner);
                self.kill();
                Err(io::Error::other("killed before"))
            }
            Some(Fault::DiesAfter) => {
                drop(whole(&mut inner));
                self.kill();
                Err(io::Error::other("killed after"))
            }
            Some(Fault::Fails) => {
                half(&mut inner);
                Err(io::ErrorKind::StorageFull.into())
            }
        }
    }
}

impl Contents {
    /// Of what was not flushed some blocks come through, in no order.
    fn forget(&mut self, random: &mut StdRng) {
        let length = random.random_range(self.flushed..=self.bytes.len());
        self.bytes.truncate(length);
        for block in self.bytes[self.flushed..].chunks_mut(BLOCK) {
            if random.random_ratio(1, 4) {
                block.fill(0);
            }
        }
        self.flushed = self.bytes.len();
    }
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Disk for CrashingDisk {
    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.0.inner.lock().files.keys().cloned().collect())
    }

    fn read(&self, name: &str, _: u64) -> io::Result<Vec<u8>> {
        self.0.inner.lock().files.get(name).map(|file| file.bytes.clone()).ok_or_else(missing)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn Appending>> {
        let create = |inner: &mut Inner| inner.files.insert(name.to_owned(), Contents::default());
        self.step(|inner| Ok(create(inner)), |inner| drop(create(inner)))?;
        Ok(Box::new(Open { disk: self.clone(), name: name.to_owned() }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let rename = |inner: &mut Inner| {
            let file = inner.files.remove(from).ok_or_else(missing)?;
            inner.files.insert(to.to_owned(), file);
            Ok(())
        };
        self.step(rename, |_| {})
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let remove = |inner: &mut Inner| {
            let file = inner.files.remove(name).ok_or_else(missing)?;
            inner.removed.insert(name.to_owned(), file);
            Ok(())
        };
        self.step(remove, |_| {})
    }
}

#[derive(Debug)]
struct Open {
    disk: CrashingDisk,
    name: String,
}

impl Open {
    fn extend(&self, inner: &mut Inner, bytes: &[u8]) -> io::Result<()> {
        inner.files.get_mut(&self.name).ok_or_else(missing)?.bytes.extend(bytes);
        Ok(())
    }
}

impl Appending for Open {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let half = |inner: &mut Inner| {
            let part = inner.random.random_range(0..=bytes.len());
            drop(self.extend(inner, &bytes[..part]));
        };
        self.disk.step(|inner| self.extend(inner, bytes), half)
    }

    fn sync(&mut self) -> io::Result<()> {
        let flush = |inner: &mut Inner| {
            let file = inner.files.get_mut(&self.name).ok_or_else(missing)?;
            inner.certain.extend(&file.bytes[file.flushed..]);
            file.flushed = file.bytes.len();
            Ok(())
        };
        // A flush that fails may have lost what it should have written: see `Contents::forget`.
        let half = |inner: &mut Inner| {
            let Inner { files, random, .. } = inner;
            if let Some(file) = files.get_mut(&self.name) {
                file.forget(random);
            }
        };
        self.disk.step(flush, half)
    }
}
