//! One copy of every text that adverts repeat.
//!
//! A hundred thousand nodes tell the same few model ids, engines, regions and capabilities. Kept as they come they are
//! most of a directory's memory.

use std::collections::HashSet;
use std::sync::Arc;

/// Texts known before the first look for those that nobody needs any more.
const FIRST_SWEEP: usize = 1024;

/// Texts and lists of them, each once.
#[derive(Debug)]
pub(super) struct Interner {
    texts: HashSet<Arc<str>>,
    lists: HashSet<Arc<[Arc<str>]>>,
    /// As many entries as may be there before those that nobody else holds are thrown out.
    sweep_at: usize,
}

impl Default for Interner {
    fn default() -> Self {
        Self { texts: HashSet::new(), lists: HashSet::new(), sweep_at: FIRST_SWEEP }
    }
}

impl Interner {
    pub(super) fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        self.sweep();
        let text: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&text));
        text
    }

    pub(super) fn list(&mut self, texts: &[String]) -> Arc<[Arc<str>]> {
        let list: Vec<Arc<str>> = texts.iter().map(|text| self.text(text)).collect();
        if let Some(known) = self.lists.get(list.as_slice()) {
            return Arc::clone(known);
        }
        let list: Arc<[Arc<str>]> = list.into();
        self.lists.insert(Arc::clone(&list));
        list
    }

    /// Peers come with new texts for as long as they like, so what is not used any more must go. Waiting until there are
    /// twice as many as were in use makes it cheap.
    fn sweep(&mut self) {
        if self.texts.len() + self.lists.len() < self.sweep_at {
            return;
        }
        self.lists.retain(|list| Arc::strong_count(list) > 1);
        self.texts.retain(|text| Arc::strong_count(text) > 1);
        self.sweep_at = FIRST_SWEEP.max(2 * (self.texts.len() + self.lists.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one() {
        let mut interner = Interner::default();
        let (one, other) = (interner.text("mistral.rs 0.8.1"), interner.text("mistral.rs 0.8.1"));
        assert!(Arc::ptr_eq(&one, &other));
        let texts = ["tools".to_owned(), "seed".to_owned()];
        assert!(Arc::ptr_eq(&interner.list(&texts), &interner.list(&texts)));
        assert_eq!(interner.list(&texts)[1], "seed".into());
    }

    #[test]
    fn texts_that_nobody_holds_are_forgotten_and_others_kept() {
        let mut interner = Interner::default();
        let held = interner.text("held");
        for number in 0..100_000 {
            interner.text(&number.to_string());
        }
        assert!(interner.texts.len() <= FIRST_SWEEP + 1, "{}", interner.texts.len());
        assert!(Arc::ptr_eq(&held, &interner.text("held")));
    }
}
