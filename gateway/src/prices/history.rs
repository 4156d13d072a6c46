//! The prices of one model: the last day by the minute, thirty days by the hour.

use std::collections::VecDeque;

/// Minutes that are kept each.
const MINUTES: usize = 24 * 60;
/// Hours that are kept each.
const HOURS: usize = 30 * 24;
/// Seconds of a minute.
const MINUTE: i64 = 60;

/// What a node asks, in nano-USD per million tokens, without the fee.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quote {
    /// For prompt tokens.
    pub input: i64,
    /// For generated tokens.
    pub output: i64,
}

/// A model's market at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Minutes since 1970.
    pub minute: u32,
    /// Healthy nodes. With none of them the quotes mean nothing.
    pub nodes: u32,
    /// Of the cheapest of them.
    pub cheapest: Quote,
    /// Of the one in the middle.
    pub median: Quote,
}

impl Sample {
    /// Seconds since 1970.
    #[must_use]
    pub fn at(&self) -> i64 {
        i64::from(self.minute) * MINUTE
    }
}

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// The first sample of each hour.
    hours: VecDeque<Sample>,
    minutes: VecDeque<Sample>,
}

impl History {
    /// Adds what is later than everything known; anything else is left out, as when a clock was set back.
    pub fn push(&mut self, sample: Sample) {
        if self.minutes.back().is_some_and(|last| last.minute >= sample.minute) {
            return;
        }
        if self.hours.back().is_none_or(|last| last.minute / 60 < sample.minute / 60) {
            put(&mut self.hours, sample, HOURS);
        }
        put(&mut self.minutes, sample, MINUTES);
    }

    /// All that is kept, the earliest first.
    pub fn samples(&self) -> impl Iterator<Item = &Sample> {
        let first = self.minutes.front().map_or(0, |first| first.minute);
        self.hours.iter().filter(move |sample| sample.minute < first).chain(&self.minutes)
    }

    /// From one time until just before another, in seconds since 1970: of each step of so many seconds the first sample.
    #[must_use]
    pub fn between(&self, from: i64, to: i64, step: i64) -> Vec<Sample> {
        let mut next = from;
        let within = self.samples().filter(|sample| (from..to).contains(&sample.at()));
        let chosen = within.filter(|sample| {
            let is_first = sample.at() >= next;
            if is_first {
                next = from + ((sample.at() - from) / step.max(1) + 1) * step.max(1);
            }
            is_first
        });
        chosen.copied().collect()
    }
}

fn put(samples: &mut VecDeque<Sample>, sample: Sample, most: usize) {
    if samples.len() == most {
        samples.pop_front();
    }
    samples.push_back(sample);
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u32 = 24 * 60;

    fn sample(minute: u32) -> Sample {
        Sample { minute, nodes: minute, cheapest: Quote::default(), median: Quote::default() }
    }

    fn of_days(days: u32) -> History {
        let mut history = History::default();
        (0..days * DAY).for_each(|minute| history.push(sample(minute)));
        history
    }

    fn minutes(history: &History, from: u32, to: u32, step: i64) -> Vec<u32> {
        let found = history.between(i64::from(from) * 60, i64::from(to) * 60, step);
        found.iter().map(|sample| sample.minute).collect()
    }

    #[test]
    fn a_day_is_kept_by_the_minute_and_a_month_by_the_hour() {
        let history = of_days(40);
        let kept: Vec<u32> = history.samples().map(|sample| sample.minute).collect();
        assert!(kept.is_sorted());
        let (old, recent): (Vec<u32>, Vec<u32>) = kept.iter().partition(|minute| **minute < 39 * DAY);
        assert_eq!(recent, (39 * DAY..40 * DAY).collect::<Vec<_>>());
        assert_eq!(old, (10 * DAY..39 * DAY).step_by(60).collect::<Vec<_>>());
    }

    #[test]
    fn a_step_has_its_first_sample() {
        let history = of_days(3);
        assert_eq!(minutes(&history, 2 * DAY, 2 * DAY + 5, 60), (2 * DAY..2 * DAY + 5).collect::<Vec<_>>());
        assert_eq!(minutes(&history, 2 * DAY, 2 * DAY + 30, 600), [2 * DAY, 2 * DAY + 10, 2 * DAY + 20]);
        // By the hour is what there is.
        assert_eq!(minutes(&history, 0, 150, 60), [0, 60, 120]);
        assert_eq!(minutes(&history, 30, 200, 7200), [60, 180]);
        // Steps are counted from the beginning, and not from the sample before.
        assert_eq!(minutes(&history, 30, 300, 5400), [60, 120, 240]);
        assert_eq!(minutes(&history, 5 * DAY, 6 * DAY, 60), Vec::<u32>::new());
    }

    #[test]
    fn a_clock_that_goes_back_adds_nothing() {
        let mut history = History::default();
        [5, 6, 6, 3, 7].into_iter().for_each(|minute| history.push(sample(minute)));
        assert_eq!(history.samples().map(|sample| sample.minute).collect::<Vec<_>>(), [5, 6, 7]);
    }
}
