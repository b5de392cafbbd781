use proptest::prelude::*;
use time::macros::datetime;

use super::*;
use crate::plans::Plan;

const PAID: OffsetDateTime = datetime!(2026-11-15 10:30:05 UTC);

#[test]
fn all_is_given_back_for_a_week_and_half_for_another() {
    let after = |seconds: i64| share(PAID.unix_timestamp(), PAID + Duration::seconds(seconds));
    let day = 24 * 60 * 60;
    for (seconds, expected) in [
        (-5, Some(Share::Full)),
        (0, Some(Share::Full)),
        (7 * day, Some(Share::Full)),
        (7 * day + 1, Some(Share::Half)),
        (14 * day, Some(Share::Half)),
        (14 * day + 1, None),
        (400 * day, None),
    ] {
        assert_eq!(after(seconds), expected, "{seconds} s after");
    }
}

#[test]
fn half_a_cent_is_the_customer_s() {
    assert_eq!(Share::Half.of(501, 0), 251);
    assert_eq!(Share::Half.of(500, 100), 150);
    assert_eq!(Share::Half.of(500, 300), 0);
    assert_eq!(Share::Full.of(2_000, 2_000), 0);
    assert_eq!(Share::Full.of(-5, 0), 0);
}

fn record(kind: RecordKind, source: &str, at: i64, cents: i64, of: Option<&str>) -> Record {
    Record {
        account: "acc_4kPq9ZtR2mWx".parse().expect("an id"),
        record: format!("{at:020}#{}#{source}", kind.name()),
        kind,
        source: source.to_owned(),
        issued_at: at,
        amount_cents: cents,
        tax_cents: None,
        currency: "usd".to_owned(),
        number: None,
        of: of.map(str::to_owned),
        lines: Vec::new(),
        email: None,
        company: None,
        balance_cents: None,
        paid_cents: None,
        payment_intent: None,
    }
}

#[test]
fn the_first_purchase_is_the_first_receipt_that_money_came_in_for() {
    use RecordKind::{Payment, Receipt};
    let mut records = vec![
        // Of nothing, and from the balance.
        record(Receipt, "in_0", 10, 0, None),
        record(Receipt, "in_1", 20, 700, None),
        record(Receipt, "in_3", 50, 2_000, None),
        record(Payment, "ch_3", 50, 2_000, Some("in_3")),
        record(Payment, "ch_2", 40, 500, Some("in_2")),
        record(Receipt, "in_2", 41, 500, None),
    ];
    let first = first_purchase(&records).expect("one");
    assert_eq!((first.invoice.as_str(), first.charge.as_str()), ("in_2", "ch_2"));
    assert_eq!((first.paid_at, first.cents, first.returned), (40, 500, 0));
    // Stripe did not say what it was for.
    records[4].of = None;
    assert_eq!(first_purchase(&records).expect("one").invoice, "in_2");
    assert_eq!(first_purchase(&records[..3]), None);
    assert_eq!(first_purchase(&[]), None);
}

#[test]
fn what_has_gone_back_already_is_not_given_back_again() {
    use RecordKind::{Dispute, DisputeWon, Payment, Receipt, Refund, RefundFailed};
    let mut records = vec![
        record(Receipt, "in_1", 10, 2_000, None),
        record(Payment, "ch_1", 10, 2_000, Some("in_1")),
        record(Refund, "re_1", 20, 300, Some("ch_1")),
        record(Refund, "re_2", 20, 900, Some("ch_of_another")),
    ];
    let gone = |records: &[Record]| first_purchase(records).expect("one").gone;
    assert_eq!(gone(&records), 300);
    records.push(record(RefundFailed, "re_1", 30, 300, Some("ch_1")));
    assert_eq!(gone(&records), 0);
    records.push(record(Dispute, "du_1", 40, 2_000, Some("ch_1")));
    assert_eq!(gone(&records), 2_000);
    records.push(record(DisputeWon, "du_1", 50, 2_000, Some("ch_1")));
    assert_eq!(gone(&records), 0);
}

proptest! {
    #[test]
    fn a_share_never_grows_with_time(
        paid_at in 0i64..4_000_000_000, a in 0i64..2_000_000, b in 0i64..2_000_000,
    ) {
        let at = |after: i64| OffsetDateTime::from_unix_timestamp(paid_at + after).expect("one");
        let cents = |after: i64| share(paid_at, at(after)).map_or(0, |it| it.of(1_999, 0));
        prop_assert!(cents(a.min(b)) >= cents(a.max(b)));
    }

    #[test]
    fn no_more_is_given_back_than_was_paid(
        paid in 0i64..1_000_000_000_000, returned in 0i64..1_000_000_000_000, full: bool,
    ) {
        let share = if full { Share::Full } else { Share::Half };
        let cents = share.of(paid, returned);
        prop_assert!(cents >= 0 && cents + returned.min(paid) <= paid);
        // Half and half make a whole, with at most a cent for the customer.
        let half = Share::Half.of(paid, 0);
        prop_assert!((0..=1).contains(&(2 * half - paid)));
        prop_assert_eq!(Share::Full.of(paid, 0), paid);
        // Asking in two steps gives no more than asking once.
        prop_assert_eq!(share.of(paid, returned + cents), 0);
    }
}

#[test]
fn what_was_given_back_since_it_was_asked_for_is_not_given_again() {
    let request = RefundRequest {
        invoice: "in_1".to_owned(),
        charge: "ch_1".to_owned(),
        cents: 2_000,
        returned_cents: 300,
        credited_cents: 0,
        failures: 0,
        currency: "usd".to_owned(),
        asked_at: 1_000,
        state: RefundState::Approved,
        reason: None,
        decided_at: Some(100_000),
    };
    let owed_after = |made: &[(i64, &str)]| {
        let refund = |(cents, status): &(i64, &str)| Refund {
            id: "re_1".to_owned(),
            cents: *cents,
            currency: "usd".to_owned(),
            created: 1_000,
            status: (*status).to_owned(),
        };
        owed(&request, &made.iter().map(refund).collect::<Vec<_>>(), 0)
    };
    let before = (300, "succeeded");
    assert_eq!(owed_after(&[before]), 2_000);
    for status in ["succeeded", "pending", "requires_action"] {
        assert_eq!(owed_after(&[before, (2_000, status)]), 0, "{status}");
    }
    for status in ["failed", "canceled"] {
        assert_eq!(owed_after(&[before, (2_000, status)]), 2_000, "{status}");
    }
    assert_eq!(owed_after(&[before, (400, "succeeded"), (500, "pending")]), 1_100);
    assert_eq!(owed_after(&[before, (3_000, "succeeded")]), 0);
    // What had been given back before has failed since: that is not of this refund.
    assert_eq!(owed_after(&[(300, "failed")]), 2_000);
}

#[test]
fn what_a_larger_plan_credits_is_less_to_be_given_back() {
    let invoice = |source: &str, lines: Vec<RecordLine>, tax| {
        let cents: i64 = lines.iter().map(|it| it.cents).sum::<i64>() + tax;
        let mut it = record(RecordKind::Invoice, source, 10, cents, Some("sub_1"));
        it.lines = lines;
        it.tax_cents = Some(tax);
        it
    };
    let line = |cents, plan, from, to| RecordLine {
        description: String::new(),
        cents,
        from,
        to,
        plan: Some(plan),
    };
    let first = || invoice("in_1", vec![line(2_000, Plan::Pro, 0, 100)], 0);
    let raise = |tax| {
        let lines = vec![line(-1_500, Plan::Pro, 25, 100), line(10_000, Plan::Business, 25, 125)];
        invoice("in_2", lines, tax)
    };
    let paid = || record(RecordKind::Receipt, "in_2", 20, 8_500, Some("sub_1"));
    assert_eq!(credited(&[first(), raise(0), paid()], "in_1"), 1_500);
    assert_eq!(credited(&[first(), raise(1_700), paid()], "in_1"), 1_800, "with its taxes");
    assert_eq!(credited(&[first(), raise(0)], "in_1"), 0, "what was not paid has credited nothing");
    // Of another plan, of a later period, of another subscription.
    for other in [line(-1_500, Plan::Basic, 25, 100), line(-1_500, Plan::Pro, 100, 200)] {
        let later = invoice("in_2", vec![other, line(10_000, Plan::Business, 25, 125)], 0);
        assert_eq!(credited(&[first(), later, paid()], "in_1"), 0);
    }
    let elsewhere = Record { of: Some("sub_2".to_owned()), ..raise(0) };
    assert_eq!(credited(&[first(), elsewhere, paid()], "in_1"), 0);
    let mut note = record(RecordKind::CreditNote, "cn_1", 30, 700, Some("in_1"));
    note.balance_cents = Some(-300);
    assert_eq!(credited(&[first(), note], "in_1"), 300, "the rest is a refund");
}
