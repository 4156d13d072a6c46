//! Lists come in pages, and pages have an end.

/// How many objects a page has. Stripe gives no more.
pub(crate) const PAGE: i64 = 100;

/// How many pages are read at a time: 5 000 objects.
pub(crate) const MOST_PAGES: usize = 50;

/// What was found in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paged<T> {
    /// The newest first.
    pub found: Vec<T>,
    /// Whether this is all. `false`: older ones were not read.
    pub complete: bool,
}
