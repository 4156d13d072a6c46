//! One capture as bytes.
//!
//! Field after field, in the order of this file, all numbers little-endian, texts with their length before them. Rejected:
//! serde of the types themselves, where a renamed field silently makes a new format. What is written here is read by every
//! later version: a change of it is a new [`super::segment::VERSION`] with a reader of its own.
//!
//! What is read is checked as input of a caller is: a damaged record becomes an error, and never a wrong charge.

use crate::id::{HoldId, IdError, KeyId, OperatorId, RequestId, TokenId};
use crate::ledger::{Capture, Charge, ChargeTerms, Outcome, Part};
use crate::money::{FeeBps, FeeTooHigh, Nanos, Overflow, PerMillion, Price, TokenCount};

/// Bytes of whom the checksum is right, and which are no capture all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum RecordError {
    #[error("it ends too early")]
    Short,
    #[error("{0} bytes follow its end")]
    Long(usize),
    #[error("a text is not UTF-8")]
    Text,
    #[error("{0} is neither there nor not there")]
    Flag(u8),
    #[error("`{0}` is no outcome")]
    Outcome(String),
    #[error("a price is negative")]
    Price,
    #[error(transparent)]
    Fee(#[from] FeeTooHigh),
    #[error(transparent)]
    Id(#[from] IdError),
    #[error(transparent)]
    Sum(#[from] Overflow),
}

/// Appends `capture` to `bytes`.
pub(super) fn write(capture: &Capture, bytes: &mut Vec<u8>) {
    let mut to = Writer(bytes);
    let terms = capture.charge.terms();
    to.text(capture.hold.as_str());
    to.text(capture.request.as_str());
    to.optional(capture.at_most, |to, most| to.signed(most.as_i64()));
    to.byte(u8::from(capture.close));
    to.optional(terms.key.as_ref(), |to, key| to.text(key.as_str()));
    to.optional(terms.token.as_ref(), |to, token| to.text(token.as_str()));
    to.text(&terms.model);
    to.number(u64::from(terms.fee.basis_points()));
    to.text(terms.outcome.as_str());
    to.work(&terms.node, &terms.operator, terms.price, terms.billed, terms.claimed);
    to.number(capture.charge.earlier().len() as u64);
    for part in capture.charge.earlier() {
        to.work(&part.node, &part.operator, part.price, part.billed, part.claimed);
    }
}

/// The capture that `bytes` are, all of them.
pub(super) fn read(bytes: &[u8]) -> Result<Capture, RecordError> {
    let mut from = Reader(bytes);
    let hold = HoldId::new(from.text()?)?;
    let request = RequestId::new(from.text()?)?;
    let at_most = from.optional(|from| from.signed().map(Nanos::new))?;
    let close = from.flag()?;
    let key = from.optional(|from| Ok(KeyId::new(from.text()?)?))?;
    let token = from.optional(|from| Ok(TokenId::new(from.text()?)?))?;
    let model = from.text()?;
    let fee = FeeBps::new(u32::try_from(from.number()?).unwrap_or(u32::MAX))?;
    let outcome = from.text()?;
    let outcome = Outcome::from_word(&outcome).ok_or(RecordError::Outcome(outcome))?;
    let Part { node, operator, price, billed, claimed } = from.work()?;
    let mut earlier = Vec::new();
    for _ in 0..from.number()? {
        earlier.push(from.work()?);
    }
    if !from.0.is_empty() {
        return Err(RecordError::Long(from.0.len()));
    }
    let terms = ChargeTerms { key, token, node, operator, model, price, fee, billed, claimed, outcome };
    Ok(Capture { hold, request, charge: Charge::in_parts(terms, earlier)?, at_most, close })
}

struct Writer<'a>(&'a mut Vec<u8>);

impl Writer<'_> {
    fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    fn number(&mut self, number: u64) {
        self.0.extend(number.to_le_bytes());
    }

    fn signed(&mut self, number: i64) {
        self.0.extend(number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend(text.as_bytes());
    }

    fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.byte(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    fn tokens(&mut self, tokens: TokenCount) {
        [tokens.prompt(), tokens.cached(), tokens.completion()].into_iter().for_each(|count| self.number(count));
    }

    fn work(&mut self, node: &str, operator: &OperatorId, price: Price, billed: TokenCount, claimed: TokenCount) {
        self.text(node);
        self.text(operator.as_str());
        [price.input, price.cached_input, price.output].into_iter().for_each(|price| self.signed(price.as_i64()));
        self.tokens(billed);
        self.tokens(claimed);
    }
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Result<&'a [u8], RecordError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(RecordError::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn eight(&mut self) -> Result<[u8; 8], RecordError> {
        self.bytes(8)?.try_into().map_err(|_| RecordError::Short)
    }

    fn number(&mut self) -> Result<u64, RecordError> {
        self.eight().map(u64::from_le_bytes)
    }

    fn signed(&mut self) -> Result<i64, RecordError> {
        self.eight().map(i64::from_le_bytes)
    }

    fn flag(&mut self) -> Result<bool, RecordError> {
        match self.bytes(1)? {
            [0] => Ok(false),
            [1] => Ok(true),
            other => Err(RecordError::Flag(other.first().copied().unwrap_or_default())),
        }
    }

    fn text(&mut self) -> Result<String, RecordError> {
        let length = usize::try_from(self.number()?).map_err(|_| RecordError::Short)?;
        let text = std::str::from_utf8(self.bytes(length)?).map_err(|_| RecordError::Text)?;
        Ok(text.to_owned())
    }

    fn optional<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, RecordError>,
    ) -> Result<Option<T>, RecordError> {
        if self.flag()? { read(self).map(Some) } else { Ok(None) }
    }

    fn price(&mut self) -> Result<PerMillion, RecordError> {
        PerMillion::new(self.signed()?).ok_or(RecordError::Price)
    }

    fn tokens(&mut self) -> Result<TokenCount, RecordError> {
        Ok(TokenCount::new(self.number()?, self.number()?, self.number()?))
    }

    fn work(&mut self) -> Result<Part, RecordError> {
        Ok(Part {
            node: self.text()?,
            operator: OperatorId::new(self.text()?)?,
            price: Price { input: self.price()?, cached_input: self.price()?, output: self.price()? },
            billed: self.tokens()?,
            claimed: self.tokens()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(node: &str, operator: &str) -> Part {
        Part {
            node: node.to_owned(),
            operator: OperatorId::new(operator).unwrap(),
            price: Price {
                input: PerMillion::new(1).unwrap(),
                cached_input: PerMillion::new(2).unwrap(),
                output: PerMillion::new(3).unwrap(),
            },
            billed: TokenCount::new(4, 3, 5),
            claimed: TokenCount::new(7, 6, 8),
        }
    }

    /// A capture in which no two fields are the same, with all that is optional or without.
    fn capture(full: bool) -> Capture {
        let Part { node, operator, price, billed, claimed } = part("node-é", "op");
        let terms = ChargeTerms {
            key: full.then(|| KeyId::new("key").unwrap()),
            token: full.then(|| TokenId::new("tok").unwrap()),
            node,
            operator,
            model: "m".to_owned(),
            price,
            fee: FeeBps::new(500).unwrap(),
            billed,
            claimed,
            outcome: Outcome::CallerLeft,
        };
        let earlier = if full { vec![part("first", "a"), part("second", "b")] } else { Vec::new() };
        Capture {
            hold: HoldId::new("hold").unwrap(),
            request: RequestId::new("req").unwrap(),
            charge: Charge::in_parts(terms, earlier).unwrap(),
            at_most: full.then_some(Nanos::new(99)),
            close: full,
        }
    }

    fn written(capture: &Capture) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(capture, &mut bytes);
        bytes
    }

    #[test]
    fn what_is_written_is_read() {
        for full in [true, false] {
            let capture = capture(full);
            assert_eq!(read(&written(&capture)), Ok(capture));
        }
    }

    /// Files with these bytes are on disks: whoever changes them needs a new version and keeps a reader of this one.
    #[test]
    fn the_format_is_what_it_was() {
        let eight = |number: i64| number.to_le_bytes().to_vec();
        let text = |text: &str| [eight(text.len() as i64), text.as_bytes().to_vec()].concat();
        let numbers = |numbers: &[i64]| numbers.iter().copied().flat_map(eight).collect::<Vec<u8>>();
        let work = |node, operator| [text(node), text(operator), numbers(&[1, 2, 3, 4, 3, 5, 7, 6, 8])].concat();
        let expected = [
            text("hold"),
            text("req"),
            vec![1],
            eight(99),
            vec![1],
            vec![1],
            text("key"),
            vec![1],
            text("tok"),
            text("m"),
            eight(500),
            text("caller_left"),
            work("node-é", "op"),
            eight(2),
            work("first", "a"),
            work("second", "b"),
        ];
        assert_eq!(written(&capture(true)), expected.concat());
    }

    #[test]
    fn what_is_no_capture_is_refused() {
        let whole = written(&capture(true));
        for length in 0..whole.len() {
            assert_eq!(read(&whole[..length]), Err(RecordError::Short), "{length} bytes of it");
        }
        assert_eq!(read(&[whole.clone(), vec![0]].concat()), Err(RecordError::Long(1)));
        // Whatever a byte is changed to, the answer is a capture or an error.
        for at in 0..whole.len() {
            for value in [0, 1, 2, 0x7F, 0xFF] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                drop(read(&bytes));
            }
        }
        let with = |from: &[u8], to: &[u8]| {
            let at = whole.windows(from.len()).position(|window| window == from).unwrap();
            let mut bytes = whole.clone();
            bytes[at..at + to.len()].copy_from_slice(to);
            read(&bytes).unwrap_err()
        };
        assert_eq!(with(b"caller_left", b"caller_gone"), RecordError::Outcome("caller_gone".to_owned()));
        assert_eq!(with(b"first", b"\xFF"), RecordError::Text);
        assert!(matches!(with(b"hold", b"h ld"), RecordError::Id(_)));
        assert!(matches!(with(&500_u64.to_le_bytes(), &10_001_u64.to_le_bytes()), RecordError::Fee(_)));
    }
}
