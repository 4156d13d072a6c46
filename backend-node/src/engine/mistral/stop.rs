//! Texts at which an answer ends, held back while they may be coming.
//!
//! mistral.rs knows stop texts too, but finds one only a token later, and has then streamed the text itself, which is no
//! part of the answer. So the text is watched here, and the engine is never told of it.

/// What may go out after more text came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Passed {
    /// Text that is safe to send.
    pub(super) text: String,
    /// The stop text that was met; nothing comes after this. None: none was.
    pub(super) stopped: Option<String>,
}

/// Watches a text that comes in pieces.
#[derive(Debug)]
pub(super) struct StopWatch {
    stops: Vec<String>,
    held: String,
}

impl StopWatch {
    pub(super) fn new(stops: Vec<String>) -> Self {
        Self { stops, held: String::new() }
    }

    /// Takes in more text.
    pub(super) fn push(&mut self, text: &str) -> Passed {
        if self.stops.is_empty() {
            return Passed { text: text.to_owned(), stopped: None };
        }
        self.held.push_str(text);
        // The first to begin; of those that begin at the same place the caller's first.
        let met = self.stops.iter().filter_map(|stop| Some((self.held.find(stop.as_str())?, stop)));
        if let Some((place, stop)) = met.min_by_key(|(place, _)| *place) {
            self.held.truncate(place);
            return Passed { text: std::mem::take(&mut self.held), stopped: Some(stop.clone()) };
        }
        let safe = self.held.len() - self.longest_beginning();
        let rest = self.held.split_off(safe);
        Passed { text: std::mem::replace(&mut self.held, rest), stopped: None }
    }

    /// What was held back, when the answer has ended without a stop text.
    pub(super) fn flush(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Bytes at the end of the held text with which a stop text begins.
    fn longest_beginning(&self) -> usize {
        self.stops.iter().map(|stop| beginning_at_end(&self.held, stop)).max().unwrap_or_default()
    }
}

fn beginning_at_end(text: &str, stop: &str) -> usize {
    let longest = text.len().min(stop.len().saturating_sub(1));
    let is_beginning = |length: &usize| text.as_bytes().ends_with(&stop.as_bytes()[..*length]);
    (1..=longest).rev().filter(|length| stop.is_char_boundary(*length)).find(is_beginning).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(stops: &[&str], pieces: &[&str]) -> (String, Option<String>) {
        let mut watch = StopWatch::new(stops.iter().map(|&stop| stop.to_owned()).collect());
        let mut sent = String::new();
        for piece in pieces {
            let passed = watch.push(piece);
            sent.push_str(&passed.text);
            if passed.stopped.is_some() {
                return (sent, passed.stopped);
            }
        }
        (sent + &watch.flush(), None)
    }

    #[test]
    fn a_stop_text_ends_the_answer_wherever_it_is_split() {
        let text = "one two\n\nthree";
        for cut in (0..=text.len()).filter(|&cut| text.is_char_boundary(cut)) {
            let (head, tail) = text.split_at(cut);
            let expected = ("one two".to_owned(), Some("\n\n".to_owned()));
            assert_eq!(watched(&["zebra", "\n\n"], &[head, tail]), expected, "{cut}");
        }
    }

    #[test]
    fn what_only_began_like_a_stop_text_comes_out_in_the_end() {
        assert_eq!(watched(&["END"], &["the E", "N", "d EN"]), ("the ENd EN".to_owned(), None));
        assert_eq!(watched(&["aab"], &["aa", "aab", "x"]), ("aa".to_owned(), Some("aab".to_owned())));
        assert_eq!(watched(&["äö"], &["xä", "y"]), ("xäy".to_owned(), None));
    }

    #[test]
    fn the_earliest_stop_text_wins_and_nothing_is_held_without_one() {
        assert_eq!(watched(&["c", "b"], &["abc"]), ("a".to_owned(), Some("b".to_owned())));
        let mut watch = StopWatch::new(Vec::new());
        assert_eq!(watch.push("x"), Passed { text: "x".to_owned(), stopped: None });
    }
}
