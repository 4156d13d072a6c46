//! What a payment asks of the ledger, as it stands at Stripe now.
//!
//! Nothing here knows which event came first, or whether one came at all. The payment, its refunds and its disputes are asked for
//! anew, and all that follows from them is said again each time: the ledger takes each move once. So a refund that is told before
//! its payment, a hundred copies of an event and an event that was lost all end the same.

use peerway_billing_stripe::{Cents, Dispute, DisputeStatus, Payment, PaymentStatus, Refund, RefundStatus};

use super::amount::credit_of;
use crate::ledger::{DisputeEnd, RefundEnd};

/// A payment with all that belongs to it, as Stripe has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Truth {
    pub(super) payment: Payment,
    pub(super) refunds: Vec<Refund>,
    pub(super) disputes: Vec<Dispute>,
}

/// What of it is to be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Not begun by us.
    Foreign,
    /// Nothing was paid yet.
    Unpaid,
    /// Nothing will be.
    Canceled,
    /// Paid, and something about it is not as we wrote it: a person must look.
    Doubtful(&'static str),
    /// Paid: so much credit.
    Paid(Cents),
}

/// One move of money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Move {
    /// Credit goes back. `ours`: we began it, and the ledger has it already.
    Refund { name: String, ours: bool, credit: Cents, created: i64 },
    /// It went back, or could not.
    EndRefund { name: String, end: RefundEnd },
    /// The payer's bank has taken it.
    Dispute { name: String, credit: Cents, reason: String },
    /// The bank has decided.
    EndDispute { name: String, end: DisputeEnd },
}

impl Truth {
    /// Whether it is to be credited. `owner` is the account whose customer we made the payer.
    pub(super) fn verdict(&self, owner: Option<&str>) -> Verdict {
        let Payment { status, dollars, received, account, order, credit, .. } = &self.payment;
        if order.is_none() {
            return Verdict::Foreign;
        }
        match status {
            PaymentStatus::Open => return Verdict::Unpaid,
            PaymentStatus::Canceled => return Verdict::Canceled,
            PaymentStatus::Paid => {}
        }
        let Some(credit) = credit.filter(|credit| *credit > Cents::ZERO) else {
            return Verdict::Doubtful("it does not say how much credit was bought");
        };
        if !dollars {
            return Verdict::Doubtful("it is not in US dollars");
        }
        if owner.is_none() || owner != account.as_deref() {
            return Verdict::Doubtful("its payer is not the customer of the account it names");
        }
        if *received < credit {
            return Verdict::Doubtful("less was received than the credit that was bought");
        }
        Verdict::Paid(credit)
    }

    /// What moved after so much was credited, in an order in which each can be posted.
    pub(super) fn moves(&self, credit: Cents) -> Vec<Move> {
        let share = |part| credit_of(part, self.payment.received, credit);
        let mut moves = Vec::new();
        for refund in self.refunds.iter().filter(|refund| refund.dollars) {
            let ours = refund.order.is_some();
            let name = refund.order.clone().unwrap_or_else(|| refund.id.to_string());
            // One that failed before we heard of it has moved nothing.
            if refund.status != RefundStatus::Failed {
                moves.push(Move::Refund {
                    name: name.clone(),
                    ours,
                    credit: share(refund.amount),
                    created: refund.created,
                });
            }
            match refund.status {
                RefundStatus::Pending => {}
                RefundStatus::Paid => moves.push(Move::EndRefund { name, end: RefundEnd::Paid }),
                RefundStatus::Failed => moves.push(Move::EndRefund { name, end: RefundEnd::Failed }),
            }
        }
        for dispute in self.disputes.iter().filter(|dispute| dispute.dollars) {
            let (name, reason) = (dispute.id.to_string(), dispute.reason.clone());
            let opened = Move::Dispute { name: name.clone(), credit: share(dispute.amount), reason };
            match dispute.status {
                DisputeStatus::Inquiry => {}
                DisputeStatus::Open => moves.push(opened),
                DisputeStatus::Lost => moves.extend([opened, Move::EndDispute { name, end: DisputeEnd::Lost }]),
                // One that was won before we heard of it has moved nothing.
                DisputeStatus::Won => moves.push(Move::EndDispute { name, end: DisputeEnd::Won }),
            }
        }
        moves
    }

    /// Whether the payer's bank has the money, for now or for good.
    pub(super) fn is_disputed(&self) -> bool {
        self.disputes.iter().any(|dispute| matches!(dispute.status, DisputeStatus::Open | DisputeStatus::Lost))
    }

    /// Whether a bank has yet to decide. Meanwhile nothing can be sent back.
    pub(super) fn waits_for_a_bank(&self) -> bool {
        self.disputes.iter().any(|dispute| dispute.status == DisputeStatus::Open)
    }

    /// What of the money is with Stripe yet.
    pub(super) fn left(&self) -> Cents {
        let refunded = self.payment.charge.as_ref().map_or(0, |charge| charge.refunded.get());
        let taken = self
            .disputes
            .iter()
            .filter(|dispute| dispute.dollars && matches!(dispute.status, DisputeStatus::Open | DisputeStatus::Lost));
        let taken = taken.fold(0_i64, |sum, dispute| sum.saturating_add(dispute.amount.get()));
        Cents::new(self.payment.received.get().saturating_sub(refunded).saturating_sub(taken)).unwrap_or(Cents::ZERO)
    }

    /// Whether all of the money has left again.
    pub(super) fn is_gone(&self) -> bool {
        let refunded = self.payment.charge.as_ref().map_or(Cents::ZERO, |charge| charge.refunded);
        self.is_disputed() || refunded >= self.payment.received
    }

    /// What in a list of payments tells whether anything has happened since.
    pub(super) fn mark(payment: &Payment) -> String {
        let charge = payment.charge.as_ref();
        let refunded = charge.map_or(Cents::ZERO, |charge| charge.refunded);
        let disputed = charge.is_some_and(|charge| charge.disputed);
        let tried = charge.map_or("untried", |charge| charge.id.as_str());
        format!("{:?} {} {} {disputed} {tried}", payment.status, payment.received.get(), refunded.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn c(cents: i64) -> Cents {
        Cents::new(cents).unwrap()
    }

    fn truth() -> Truth {
        let payment = Payment {
            id: "pi_1".parse().unwrap(),
            status: PaymentStatus::Paid,
            dollars: true,
            amount: c(1190),
            received: c(1190),
            customer: Some("cus_1".parse().unwrap()),
            account: Some("acme".to_owned()),
            order: Some("order1".to_owned()),
            credit: Some(c(1000)),
            charge: None,
            created: 7,
        };
        Truth { payment, refunds: Vec::new(), disputes: Vec::new() }
    }

    fn refund(status: RefundStatus, order: Option<&str>) -> Refund {
        Refund {
            id: "re_1".parse().unwrap(),
            payment: None,
            amount: c(595),
            dollars: true,
            status,
            order: order.map(str::to_owned),
            created: 9,
        }
    }

    fn dispute(status: DisputeStatus) -> Dispute {
        let (id, reason) = ("dp_1".parse().unwrap(), "fraudulent".to_owned());
        Dispute { id, payment: None, amount: c(1190), dollars: true, status, reason }
    }

    #[test]
    fn only_what_is_as_we_wrote_it_is_credited() {
        assert_eq!(truth().verdict(Some("acme")), Verdict::Paid(c(1000)));
        let changed = |change: fn(&mut Payment)| {
            let mut truth = truth();
            change(&mut truth.payment);
            truth.verdict(Some("acme"))
        };
        assert_eq!(changed(|payment| payment.order = None), Verdict::Foreign);
        assert_eq!(changed(|payment| payment.status = PaymentStatus::Open), Verdict::Unpaid);
        assert_eq!(changed(|payment| payment.status = PaymentStatus::Canceled), Verdict::Canceled);
        assert_eq!(changed(|payment| payment.received = c(1000)), Verdict::Paid(c(1000)));
        for doubtful in [
            |payment: &mut Payment| payment.dollars = false,
            |payment: &mut Payment| payment.account = Some("other".to_owned()),
            |payment: &mut Payment| payment.account = None,
            |payment: &mut Payment| payment.credit = None,
            |payment: &mut Payment| payment.credit = Some(Cents::ZERO),
            |payment: &mut Payment| payment.received = c(999),
        ] {
            assert!(matches!(changed(doubtful), Verdict::Doubtful(_)));
        }
        for owner in [None, Some("other")] {
            assert!(matches!(truth().verdict(owner), Verdict::Doubtful(_)));
        }
    }

    #[test]
    fn refunds_take_their_share_of_the_credit() {
        let mut truth = truth();
        truth.refunds = vec![refund(RefundStatus::Pending, None)];
        let named = |name: &str, ours| Move::Refund { name: name.to_owned(), ours, credit: c(500), created: 9 };
        assert_eq!(truth.moves(c(1000)), [named("re_1", false)]);
        truth.refunds = vec![refund(RefundStatus::Paid, Some("ours"))];
        let ended = |name: &str, end| Move::EndRefund { name: name.to_owned(), end };
        assert_eq!(truth.moves(c(1000)), [named("ours", true), ended("ours", RefundEnd::Paid)]);
        truth.refunds = vec![refund(RefundStatus::Failed, None)];
        assert_eq!(truth.moves(c(1000)), [ended("re_1", RefundEnd::Failed)]);
    }

    #[test]
    fn disputes_take_all_and_an_inquiry_nothing() {
        let mut truth = truth();
        let opened = Move::Dispute { name: "dp_1".to_owned(), credit: c(1000), reason: "fraudulent".to_owned() };
        let ended = |end| Move::EndDispute { name: "dp_1".to_owned(), end };
        for (status, moves) in [
            (DisputeStatus::Inquiry, vec![]),
            (DisputeStatus::Open, vec![opened.clone()]),
            (DisputeStatus::Lost, vec![opened, ended(DisputeEnd::Lost)]),
            (DisputeStatus::Won, vec![ended(DisputeEnd::Won)]),
        ] {
            truth.disputes = vec![dispute(status)];
            assert_eq!(truth.moves(c(1000)), moves, "{status:?}");
            assert_eq!(truth.is_disputed(), matches!(status, DisputeStatus::Open | DisputeStatus::Lost));
        }
    }
}
