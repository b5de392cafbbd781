use proptest::prelude::*;

use super::*;

/// When the first record was made.
const START: i64 = 1_794_738_600;

fn record(kind: RecordKind, source: &str, at: i64, cents: i64, of: Option<&str>) -> Record {
    let lines = match kind {
        RecordKind::Invoice => vec![RecordLine {
            description: "pro".to_owned(),
            cents,
            from: at,
            to: at + 30 * 86_400,
            plan: Some(Plan::Pro),
        }],
        _ => Vec::new(),
    };
    Record {
        account: "acc_Example00001".parse().expect("an id"),
        record: format!("{at}#{}#{source}", kind.name()),
        kind,
        source: source.to_owned(),
        issued_at: at,
        amount_cents: cents,
        tax_cents: Some(0),
        currency: "usd".to_owned(),
        number: Some("EXAMPLE-0001".to_owned()),
        of: of.map(str::to_owned),
        lines,
        email: None,
        company: None,
        balance_cents: None,
        paid_cents: None,
        payment_intent: None,
    }
}

fn issued(id: &str, at: i64) -> Record {
    record(RecordKind::Invoice, id, at, 2_000, Some("sub_1"))
}

#[test]
fn where_an_invoice_stands_follows_from_what_came_after_it() {
    use RecordKind::{Receipt, Void, WrittenOff};
    let cases = [
        (vec![], InvoiceState::Open),
        (vec![Receipt], InvoiceState::Paid),
        (vec![Void], InvoiceState::Void),
        (vec![WrittenOff], InvoiceState::Uncollectible),
        (vec![WrittenOff, Receipt], InvoiceState::Paid),
    ];
    for (kinds, status) in cases {
        let mut records = vec![issued("in_1", START), issued("in_2", START)];
        let more = kinds.iter().map(|kind| record(*kind, "in_1", START + 60, 2_000, Some("sub_1")));
        records.extend(more);
        let all = invoices(&records);
        let found = all.iter().find(|it| it.id == "in_1").expect("it is there");
        assert_eq!(found.status, status, "{kinds:?}");
        let is_paid = status == InvoiceState::Paid;
        assert_eq!(found.paid_at, instant(is_paid.then_some(START + 60)));
        assert_eq!((found.plan, found.total_cents), (Some(Plan::Pro), 2_000));
        let other = all.iter().find(|it| it.id == "in_2").expect("it is there");
        assert_eq!(other.status, InvoiceState::Open);
    }
}

#[test]
fn what_is_given_back_is_counted_at_the_invoice_that_was_paid() {
    use RecordKind::{Dispute, Payment, Refund, RefundFailed};
    let records = [
        issued("in_1", START),
        issued("in_2", START + 1),
        record(Payment, "ch_1", START, 2_000, Some("in_1")),
        record(Payment, "ch_2", START, 2_000, Some("in_2")),
        record(Payment, "ch_3", START, 2_000, None),
        record(Refund, "re_1", START, 700, Some("ch_1")),
        record(Refund, "re_2", START, 300, Some("ch_1")),
        record(RefundFailed, "re_2", START, 300, Some("ch_1")),
        record(Refund, "re_3", START, 2_000, Some("ch_3")),
        record(Dispute, "du_1", START, 2_000, Some("ch_2")),
    ];
    let refunded: Vec<_> =
        invoices(&records).into_iter().map(|it| (it.id, it.refunded_cents)).collect();
    assert_eq!(refunded, [("in_2".to_owned(), 0), ("in_1".to_owned(), 700)]);
}

#[test]
fn cursors_that_are_none_are_refused() {
    for wrong in ["", "x", "=", "MTc5", &URL_SAFE_NO_PAD.encode("x in_1"), &"QUJD".repeat(60)] {
        assert!(Position::read(wrong).is_err(), "{wrong}");
    }
}

proptest! {
    /// Pages of any size show each invoice once, newest first, even if one is issued in between.
    #[test]
    fn pages_show_each_once(
        times in prop::collection::vec(0_i64..20, 0..30),
        count in 1_usize..12,
        late in 0_i64..20,
    ) {
        let mut records: Vec<_> =
            times.iter().enumerate().map(|(n, at)| issued(&format!("in_{n}"), START + at)).collect();
        let expected: Vec<_> = invoices(&records).into_iter().map(|it| it.id).collect();
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let list = page(invoices(&records), count, after);
            prop_assert!(list.invoices.len() <= count);
            seen.extend(list.invoices.into_iter().map(|it| it.id));
            let Some(cursor) = list.next_cursor else { break };
            after = Some(Position::read(&cursor).expect("its own"));
            // Later than all others, so before the first page.
            records.push(issued(&format!("in_late{late}"), START + 100 + late));
        }
        prop_assert_eq!(seen, expected);
    }
}
