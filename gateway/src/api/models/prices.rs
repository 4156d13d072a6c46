//! What a model has cost over time.

use peerway_billing::{FeeBps, PerMillion, Price};
use peerway_openapi::ApiError;
use peerway_openapi::prices::{ModelPrices, PointPrice, PriceHistory, PricePoint};
use serde::Deserialize;
use time::OffsetDateTime;

use super::pricing::pricing;
use crate::Gateway;
use crate::catalog::CatalogModel;
use crate::prices::{Quote, Sample};

/// Seconds of a day.
const DAY: i64 = 24 * 60 * 60;
/// Seconds from one sample to the next.
const SHORTEST_STEP: i64 = 60;
/// Points of an answer.
const MOST_POINTS: i64 = 1500;
/// Points of an answer whose caller names no step, about.
const USUAL_POINTS: i64 = 300;
/// Seconds since 1970 in the year 3000: times past it are mistakes.
const LATEST: i64 = 32_503_680_000;

/// Which time is asked for, in seconds since 1970.
#[derive(Debug, Default, Deserialize)]
pub struct Range {
    from: Option<i64>,
    to: Option<i64>,
    step: Option<i64>,
}

pub(super) fn of(gateway: &Gateway, model: &CatalogModel, range: &Range) -> Result<PriceHistory, ApiError> {
    let (from, to, step) = bounds(range, OffsetDateTime::now_utc().unix_timestamp())?;
    let samples = gateway.prices.of(&model.card.id, from, to, step);
    let points = samples.iter().map(|sample| point(sample, gateway.fee)).collect();
    Ok(PriceHistory { data: ModelPrices { id: model.card.id.clone(), from, to, step, points } })
}

/// Begin, end and step: the last day and about as many points as a screen shows, unless the caller says otherwise.
fn bounds(range: &Range, now: i64) -> Result<(i64, i64, i64), ApiError> {
    for (field, time) in [("from", range.from), ("to", range.to)] {
        if time.is_some_and(|time| !(0..=LATEST).contains(&time)) {
            return Err(ApiError::invalid(field, "Give a time in seconds since 1970."));
        }
    }
    // The sample of this very moment is in it.
    let to = range.to.unwrap_or(now + 1);
    let from = range.from.unwrap_or((to - DAY).max(0));
    if from >= to {
        return Err(ApiError::invalid("from", "It must be before `to`."));
    }
    let usual = ((to - from) / USUAL_POINTS / SHORTEST_STEP).max(1) * SHORTEST_STEP;
    let step = range.step.unwrap_or(usual);
    if step < SHORTEST_STEP {
        return Err(ApiError::invalid(
            "step",
            format!("Prices are noted every {SHORTEST_STEP} seconds; ask for no less."),
        ));
    }
    if (to - from) / step > MOST_POINTS {
        let least = (to - from) / MOST_POINTS + 1;
        let message = format!("That is more than {MOST_POINTS} points; ask for a step of {least} seconds or more.");
        return Err(ApiError::invalid("step", message));
    }
    Ok((from, to, step))
}

fn point(sample: &Sample, fee: FeeBps) -> PricePoint {
    let told = |quote: Quote| (sample.nodes > 0).then(|| paid(quote, fee));
    PricePoint { at: sample.at(), nodes: sample.nodes, cheapest: told(sample.cheapest), median: told(sample.median) }
}

fn paid(quote: Quote, fee: FeeBps) -> PointPrice {
    let price = |nano_usd| PerMillion::new(nano_usd).unwrap_or_default();
    let (input, output) = (price(quote.input), price(quote.output));
    let told = pricing(&Price { input, cached_input: input, output }, fee);
    PointPrice { prompt: told.prompt, completion: told.completion }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn asked(from: Option<i64>, to: Option<i64>, step: Option<i64>) -> Result<(i64, i64, i64), Option<String>> {
        bounds(&Range { from, to, step }, NOW).map_err(|error| error.param().map(str::to_owned))
    }

    #[test]
    fn without_bounds_it_is_the_last_day() {
        assert_eq!(asked(None, None, None), Ok((NOW + 1 - DAY, NOW + 1, 240)));
        assert_eq!(asked(Some(NOW - 3600), None, None), Ok((NOW - 3600, NOW + 1, 60)));
        assert_eq!(asked(None, Some(100), None), Ok((0, 100, 60)));
    }

    #[test]
    fn bounds_that_make_no_sense_are_named() {
        for (from, to, step, field) in [
            (Some(-1), None, None, "from"),
            (None, Some(i64::MAX), None, "to"),
            (Some(200), Some(200), None, "from"),
            (None, None, Some(59), "step"),
            (Some(0), Some(NOW), Some(60), "step"),
        ] {
            assert_eq!(asked(from, to, step), Err(Some(field.to_owned())), "{from:?} {to:?} {step:?}");
        }
    }

    #[test]
    fn points_have_the_fee_and_no_price_where_there_was_no_node() {
        let quote = |input| Quote { input, output: 2 * input };
        let sample = Sample { minute: 2, nodes: 3, cheapest: quote(150_000_000), median: quote(200_000_000) };
        let fee = FeeBps::new(500).unwrap();
        let told = point(&sample, fee);
        let cheapest = told.cheapest.unwrap();
        assert_eq!((told.at, &*cheapest.prompt, &*cheapest.completion), (120, "0.0000001575", "0.000000315"));
        assert_eq!(point(&Sample { nodes: 0, ..sample }, fee).median, None);
    }
}
