//! The ledger once more, as plainly as it can be said: two maps and a list, one operation at a time.
//!
//! Written from the rules rather than from the ledger's code, and sharing none of it: amounts are bare
//! integers, expiry is looked at instead of swept, and a balance is added up from the list every time.

use std::collections::BTreeMap;

/// One operation. Accounts, holds and requests are small numbers, so that histories collide often.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Credit {
        account: usize,
        amount: i64,
        reference: u32,
        memo: u32,
    },
    Hold {
        id: u32,
        account: usize,
        least: i64,
        most: i64,
        expires_at: i64,
    },
    Extend {
        id: u32,
        least: i64,
        most: i64,
        expires_at: i64,
    },
    Renew {
        id: u32,
        expires_at: i64,
    },
    Capture {
        id: u32,
        request: u32,
        ask: i64,
        first: Option<(i64, usize)>,
        fee_bps: i64,
        operator: usize,
        at_most: Option<i64>,
        close: bool,
    },
    Release {
        id: u32,
    },
    Freeze {
        account: usize,
        frozen: bool,
    },
    Sweep,
    ReleaseAll,
}

/// What an operation answers, as far as the rules say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Credited { posted: i64, repeated: bool },
    Granted { granted: i64, left: i64 },
    Renewed(bool),
    Captured { total: i64, operator: i64, fee: i64, shortfall: i64, late: bool, repeated: bool },
    Released { amount: i64, captured: i64 },
    Insufficient { available: i64 },
    ReleasedAll(u64),
    Refused(&'static str),
    Done,
}

#[derive(Debug, Clone)]
struct Hold {
    account: usize,
    amount: i64,
    captured: i64,
    expires_at: i64,
    ended: bool,
}

pub(crate) const GRANTS: &str = "grants";
pub(crate) const FEES: &str = "fees";

#[derive(Debug, Default)]
pub(crate) struct Oracle {
    pub(crate) now: i64,
    frozen: BTreeMap<usize, bool>,
    /// Every movement of money there ever was.
    entries: Vec<(String, i64)>,
    holds: BTreeMap<u32, Hold>,
    credits: BTreeMap<u32, (usize, i64, u32)>,
    captures: BTreeMap<u32, Answer>,
}

pub(crate) fn customer(account: usize) -> String {
    format!("customer {account}")
}

pub(crate) fn operator(operator: usize) -> String {
    format!("operator {operator}")
}

impl Oracle {
    pub(crate) fn posted(&self, account: &str) -> i64 {
        self.entries.iter().filter(|(name, _)| name == account).map(|(_, amount)| amount).sum()
    }

    pub(crate) fn held(&self, account: usize) -> i64 {
        let open = self.holds.values().filter(|hold| hold.account == account && self.open(hold));
        open.map(|hold| hold.amount - hold.captured).sum()
    }

    pub(crate) fn available(&self, account: usize) -> i64 {
        self.posted(&customer(account)) - self.held(account)
    }

    fn open(&self, hold: &Hold) -> bool {
        !hold.ended && hold.expires_at > self.now
    }

    fn is_frozen(&self, account: usize) -> bool {
        self.frozen.get(&account).copied().unwrap_or(false)
    }

    /// The open hold, or how asking for it is refused.
    fn open_hold(&self, id: u32) -> Result<Hold, Answer> {
        match self.holds.get(&id) {
            None => Err(Answer::Refused("not found")),
            Some(hold) if !self.open(hold) => Err(Answer::Refused("ended")),
            Some(hold) => Ok(hold.clone()),
        }
    }

    pub(crate) fn apply(&mut self, op: &Op) -> Answer {
        self.decide(op).unwrap_or_else(|refused| refused)
    }

    fn decide(&mut self, op: &Op) -> Result<Answer, Answer> {
        match *op {
            Op::Credit { account, amount, reference, memo } => self.credit(account, amount, reference, memo),
            Op::Hold { id, account, least, most, expires_at } => self.hold(id, account, least, most, expires_at),
            Op::Extend { id, least, most, expires_at } => {
                if least < 0 || least > most {
                    return Err(Answer::Refused("invalid"));
                }
                let hold = self.open_hold(id)?;
                let granted = self.grant(hold.account, least, most)?;
                let hold = self.holds.get_mut(&id).unwrap();
                hold.amount += granted;
                hold.expires_at = hold.expires_at.max(expires_at);
                let account = hold.account;
                Ok(Answer::Granted { granted, left: self.available(account) })
            }
            Op::Renew { id, expires_at } => {
                let renewed = self.open_hold(id).is_ok_and(|hold| !self.is_frozen(hold.account));
                if renewed {
                    let hold = self.holds.get_mut(&id).unwrap();
                    hold.expires_at = hold.expires_at.max(expires_at);
                }
                Ok(Answer::Renewed(renewed))
            }
            Op::Capture { .. } => self.capture(op),
            Op::Release { id } => {
                let hold = self.open_hold(id)?;
                self.holds.get_mut(&id).unwrap().ended = true;
                Ok(Answer::Released { amount: hold.amount, captured: hold.captured })
            }
            Op::Freeze { account, frozen } => {
                self.frozen.insert(account, frozen);
                Ok(Answer::Done)
            }
            Op::Sweep => Ok(Answer::Done),
            Op::ReleaseAll => {
                let now = self.now;
                let open = self.holds.values_mut().filter(|hold| !hold.ended && hold.expires_at > now);
                Ok(Answer::ReleasedAll(open.map(|hold| hold.ended = true).count() as u64))
            }
        }
    }

    fn credit(&mut self, account: usize, amount: i64, reference: u32, memo: u32) -> Result<Answer, Answer> {
        if amount <= 0 {
            return Err(Answer::Refused("invalid"));
        }
        let repeated = match self.credits.get(&reference) {
            Some(first) if *first == (account, amount, memo) => true,
            Some(_) => return Err(Answer::Refused("conflict")),
            None => false,
        };
        if !repeated {
            self.credits.insert(reference, (account, amount, memo));
            self.entries.push((customer(account), amount));
            self.entries.push((GRANTS.to_owned(), -amount));
        }
        Ok(Answer::Credited { posted: self.posted(&customer(account)), repeated })
    }

    fn grant(&self, account: usize, least: i64, most: i64) -> Result<i64, Answer> {
        if self.is_frozen(account) {
            return Err(Answer::Refused("frozen"));
        }
        let available = self.available(account);
        if available < least { Err(Answer::Insufficient { available }) } else { Ok(available.min(most)) }
    }

    fn hold(&mut self, id: u32, account: usize, least: i64, most: i64, expires_at: i64) -> Result<Answer, Answer> {
        if least < 0 || least > most {
            return Err(Answer::Refused("invalid"));
        }
        if let Some(first) = self.holds.get(&id).cloned() {
            if first.account != account || first.amount < least || first.amount > most {
                return Err(Answer::Refused("conflict"));
            }
            self.open_hold(id)?;
            return Ok(Answer::Granted { granted: first.amount, left: self.available(account) });
        }
        if expires_at <= self.now {
            return Err(Answer::Refused("invalid"));
        }
        let amount = self.grant(account, least, most)?;
        self.holds.insert(id, Hold { account, amount, captured: 0, expires_at, ended: false });
        Ok(Answer::Granted { granted: amount, left: self.available(account) })
    }

    fn capture(&mut self, op: &Op) -> Result<Answer, Answer> {
        let Op::Capture { id, request, ask, first, fee_bps, operator: earner, at_most, close } = *op else {
            unreachable!()
        };
        if let Some(Answer::Captured { total, operator, fee, shortfall, late, .. }) = self.captures.get(&request) {
            let (total, operator, fee, shortfall, late) = (*total, *operator, *fee, *shortfall, *late);
            return Ok(Answer::Captured { total, operator, fee, shortfall, late, repeated: true });
        }
        let hold = self.holds.get(&id).cloned().ok_or(Answer::Refused("not found"))?;
        let late = !self.open(&hold);
        let there = if late { self.available(hold.account) } else { hold.amount - hold.captured };
        // Another node delivered before, and is served first.
        let (first_ask, first_earner) = first.unwrap_or((0, earner));
        let ask = ask + first_ask;
        let due = (ask * (10_000 + fee_bps) + 9_999) / 10_000;
        let total = due.min(there).min(at_most.unwrap_or(i64::MAX));
        let earned = ask.min(total);
        self.entries.push((customer(hold.account), -total));
        self.entries.push((operator(first_earner), first_ask.min(earned)));
        self.entries.push((operator(earner), earned - first_ask.min(earned)));
        self.entries.push((FEES.to_owned(), total - earned));
        if !late {
            let hold = self.holds.get_mut(&id).unwrap();
            hold.captured += total;
            hold.ended = close;
        }
        let answer = Answer::Captured {
            total,
            operator: earned,
            fee: total - earned,
            shortfall: due - total,
            late,
            repeated: false,
        };
        self.captures.insert(request, answer.clone());
        Ok(answer)
    }
}
