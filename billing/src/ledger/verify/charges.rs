//! One charge from its terms again, and its entries from the charge again.

use crate::id::AccountId;
use crate::ledger::export::Posting;
use crate::ledger::rows::{ChargeFields, ChargeRow, PartFields, PartRow};
use crate::money::{self, FeeBps, Nanos, Price, Split, TokenCount, limited_shares};

/// Whether a charge follows from its price and tokens, or from those of its parts, and its entries are exactly its amounts.
/// What is wrong is said in a few words.
pub(in crate::ledger) fn consistent(charge: &ChargeRow, posting: &Posting) -> Result<(), String> {
    let (price, fee, billed) = charge.terms().ok_or("its price, fee or tokens are impossible")?;
    if i64::try_from(billed.cached()) != Ok(charge.cached) {
        return Err("it has more cached tokens than prompt tokens".to_owned());
    }
    let (due, earned) = due(charge, &posting.parts, (&price, fee, billed))?;
    let paid = due.limited(Nanos::new(charge.total));
    let amounts = (paid.total.as_i64(), paid.operator.as_i64(), paid.fee.as_i64());
    if amounts != (charge.total, charge.earned, charge.fee) {
        return Err(format!(
            "total, earned and fee are {:?} and should be {amounts:?}",
            (charge.total, charge.earned, charge.fee)
        ));
    }
    let shortfall = due.total.minus_or_zero(paid.total).as_i64();
    if charge.shortfall != shortfall {
        return Err(format!("its shortfall is {} and should be {shortfall}", charge.shortfall));
    }
    if posting.transfer.kind != "charge" || posting.transfer.reference != charge.request_id {
        return Err(format!("its transfer is {} {}", posting.transfer.kind, posting.transfer.reference));
    }
    let shares: Vec<i64> = limited_shares(&earned, paid.operator).into_iter().map(Nanos::as_i64).collect();
    if let Some((part, share)) = posting.parts.iter().zip(&shares).find(|(part, share)| part.earned != **share) {
        return Err(format!("its part {} earned {} and should have {share}", part.part, part.earned));
    }
    let expected = entries(charge, &posting.parts, &shares);
    let entries: Vec<(String, i64)> =
        posting.entries.iter().map(|entry| (entry.account.clone(), entry.amount)).collect();
    if entries == expected { Ok(()) } else { Err(format!("its entries are {entries:?} and should be {expected:?}")) }
}

/// What it costs, and what each part earns of that.
fn due(
    charge: &ChargeRow,
    parts: &[PartRow],
    (price, fee, billed): (&Price, FeeBps, TokenCount),
) -> Result<(Split, Vec<Nanos>), String> {
    let overflows = |error: money::Overflow| error.to_string();
    let Some(last) = parts.last() else { return money::charge_parts([(price, billed)], fee).map_err(overflows) };
    if parts.len() == 1 || parts.iter().zip(0..).any(|(part, place)| part.part != place) {
        return Err("some of its parts are missing".to_owned());
    }
    let whose = |charge: &ChargeRow| {
        let price = (charge.price_input, charge.price_cached, charge.price_output);
        (charge.node.clone(), charge.operator.clone(), price)
    };
    let price = (last.price_input, last.price_cached, last.price_output);
    if whose(charge) != (last.node.clone(), last.operator.clone(), price) {
        return Err("its node, operator and price are not those of its last part".to_owned());
    }
    // What nodes claim stops at the most that fits, and so does its sum.
    let sum =
        |of: fn(&PartRow) -> i64| parts.iter().map(|part| i128::from(of(part))).sum::<i128>().min(i128::from(i64::MAX));
    let columns = [
        ("prompt", charge.prompt, sum(|part| part.prompt)),
        ("cached", charge.cached, sum(|part| part.cached)),
        ("completion", charge.completion, sum(|part| part.completion)),
        ("claimed_prompt", charge.claimed_prompt, sum(|part| part.claimed_prompt)),
        ("claimed_cached", charge.claimed_cached, sum(|part| part.claimed_cached)),
        ("claimed_completion", charge.claimed_completion, sum(|part| part.claimed_completion)),
    ];
    if let Some((column, whole, sum)) = columns.into_iter().find(|(_, whole, sum)| i128::from(*whole) != *sum) {
        return Err(format!("{column} is {whole}, and its parts add up to {sum}"));
    }
    let terms: Option<Vec<(Price, TokenCount)>> = parts.iter().map(PartRow::terms).collect();
    let terms = terms.ok_or("a part's price or tokens are impossible")?;
    money::charge_parts(terms.iter().map(|(price, tokens)| (price, *tokens)), fee).map_err(overflows)
}

/// The customer pays, each operator earns, the platform keeps the fee: in this order, without lines of zero.
fn entries(charge: &ChargeRow, parts: &[PartRow], shares: &[i64]) -> Vec<(String, i64)> {
    let operators: Vec<&str> = match parts {
        [] => vec![&charge.operator],
        parts => parts.iter().map(|part| part.operator.as_str()).collect(),
    };
    let mut lines = vec![(charge.account.clone(), -charge.total)];
    for (operator, share) in operators.into_iter().zip(shares) {
        let account = format!("operator:{operator}");
        match lines.iter_mut().skip(1).find(|(known, _)| *known == account) {
            Some((_, amount)) => *amount += share,
            None => lines.push((account, *share)),
        }
    }
    lines.push((AccountId::platform_fees().into(), charge.fee));
    lines.retain(|(_, amount)| *amount != 0);
    lines
}
