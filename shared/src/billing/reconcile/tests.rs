use proptest::{option, prelude::*, sample::select};

use super::*;
use crate::{
    accounts::{EmailAddress, Pending, Span, Subscription},
    billing::record::{Record, RecordKind},
    plans::Plan,
};

const KINDS: [RecordKind; 11] = [
    RecordKind::Invoice,
    RecordKind::Receipt,
    RecordKind::Void,
    RecordKind::WrittenOff,
    RecordKind::Payment,
    RecordKind::Refund,
    RecordKind::RefundFailed,
    RecordKind::Dispute,
    RecordKind::DisputeWon,
    RecordKind::CreditNote,
    RecordKind::CreditNoteVoid,
];

fn account(subscription: Option<Subscription>) -> Account {
    Account {
        id: AccountId::from_tag("Example00001").expect("an id"),
        email: EmailAddress::parse("ada@example.com").expect("an address"),
        email_hash: "0".to_owned(),
        company: None,
        plan: Plan::Free,
        customer: Some("cus_1".to_owned()),
        mail_stopped: None,
        mail_confirmed_at: None,
        past_customers: Vec::new(),
        subscription,
        past_period: None,
        billing_version: 0,
        status: Status::Active,
        created_at: 0,
        policy_version: "1.0".to_owned(),
        policy_accepted_at: 0,
        marketing_consent_at: None,
        gate_version: 1,
        key_count: 0,
        erasure: None,
        export: None,
        status_untold: false,
    }
}

fn subscription() -> impl Strategy<Value = Subscription> {
    let plan = || select(vec![Plan::Basic, Plan::Pro, Plan::Business]);
    let time = 1_700_000_000_i64..1_900_000_000;
    let ends = (option::of(time.clone()), option::of(time.clone()));
    (plan(), option::of(plan()), time.clone(), time, ends).prop_map(
        |(plan, next_plan, anchor, start, (ends_at, past_due_since))| Subscription {
            id: "sub_1".to_owned(),
            plan,
            next_plan,
            anchor,
            period: Span { start, end: start + 30 * 86_400 },
            ends_at,
            past_due_since,
            paid_to: Some(start + 30 * 86_400),
            pending: None,
            pay_page: None,
        },
    )
}

/// Paid for until `paid_to`.
fn subscription_of(plan: Plan, paid_to: i64) -> Subscription {
    Subscription {
        id: "sub_1".to_owned(),
        plan,
        next_plan: None,
        anchor: 1_790_000_000,
        period: Span { start: 1_790_000_000, end: 1_800_000_000 },
        ends_at: None,
        past_due_since: None,
        paid_to: Some(paid_to),
        pending: None,
        pay_page: None,
    }
}

/// Of different sources: `n` is the place among them.
fn records() -> impl Strategy<Value = Vec<Record>> {
    let one = (select(KINDS.to_vec()), 1_i64..100_000, option::of(1_i64..1000));
    prop::collection::vec(one, 0..12).prop_map(|all| {
        let made = all.into_iter().enumerate();
        made.map(|(n, (kind, cents, tax))| Record {
            account: AccountId::from_tag("Example00001").expect("an id"),
            record: format!("2026-11-24#{}#{n}", kind.name()),
            kind,
            source: n.to_string(),
            issued_at: 1_795_000_000,
            amount_cents: cents,
            tax_cents: tax,
            currency: "usd".to_owned(),
            number: None,
            of: None,
            lines: Vec::new(),
            email: None,
            company: None,
            balance_cents: None,
            paid_cents: None,
            payment_intent: None,
        })
        .collect()
    })
}

fn expected(standing: Option<Subscription>, records: Vec<Record>) -> Expected {
    let live = usize::from(standing.is_some());
    Expected { has_customer: true, live, standing, records, ..Expected::default() }
}

/// Changes one thing of a subscription; the kind of difference that it makes.
fn change(it: &mut Subscription, which: usize) -> Difference {
    let other = |at: Option<i64>| if at.is_some() { None } else { Some(1_800_000_000) };
    match which {
        0 => it.id = "sub_2".to_owned(),
        1 => it.plan = if it.plan == Plan::Pro { Plan::Basic } else { Plan::Pro },
        2 => it.next_plan = if it.next_plan.is_some() { None } else { Some(Plan::Basic) },
        3 => it.anchor += 1,
        4 => it.period.start += 1,
        5 => it.period.end -= 1,
        6 => it.ends_at = other(it.ends_at),
        7 => it.past_due_since = other(it.past_due_since),
        8 => it.paid_to = it.paid_to.map(|at| at - 30 * 86_400),
        _ => it.pending = Some(Pending { plan: Plan::Business, until: 1_800_000_000 }),
    }
    match which {
        0 => Difference::Subscription,
        1 | 2 | 9 => Difference::Plan,
        3..=5 => Difference::Period,
        _ => Difference::End,
    }
}

proptest! {
    #[test]
    fn what_is_the_same_does_not_differ_in_any_order(
        bought in option::of(subscription()), records in records(),
    ) {
        let there = expected(bought.clone(), records.clone());
        let here: Vec<Record> = records.into_iter().rev().collect();
        prop_assert_eq!(differences(&account(bought), &here, &there), []);
    }

    #[test]
    fn any_one_change_of_a_subscription_is_found(
        bought in subscription(), records in records(), which in 0_usize..10,
    ) {
        let mut changed = bought.clone();
        let kind = change(&mut changed, which);
        let there = expected(Some(bought.clone()), records.clone());
        prop_assert_eq!(differences(&account(Some(changed)), &records, &there), [kind]);
        prop_assert_eq!(
            differences(&account(None), &records, &there), [Difference::Subscription]
        );
        let none = expected(None, records.clone());
        prop_assert_eq!(
            differences(&account(Some(bought)), &records, &none), [Difference::Subscription]
        );
    }

    #[test]
    fn any_one_change_of_the_records_is_found(
        records in records().prop_filter("some", |it| !it.is_empty()),
        at in any::<prop::sample::Index>(),
        by in 1_i64..1000,
    ) {
        let there = expected(None, records.clone());
        let found = |here: &[Record]| differences(&account(None), here, &there);
        let at = at.index(records.len());
        let moves = records[at].kind.money(1) != 0;
        let with_money = |kind| {
            if moves { vec![kind, Difference::Money] } else { vec![kind] }
        };

        let mut fewer = records.clone();
        fewer.remove(at);
        prop_assert_eq!(found(&fewer), with_money(Difference::RecordMissing));

        let mut more = records.clone();
        more.push(Record { record: "another".to_owned(), ..records[at].clone() });
        prop_assert_eq!(found(&more), with_money(Difference::RecordUnknown));

        let mut dearer = records.clone();
        dearer[at].amount_cents += by;
        prop_assert_eq!(found(&dearer), with_money(Difference::Amount));

        let mut taxed = records.clone();
        taxed[at].tax_cents = Some(taxed[at].tax_cents.unwrap_or(0) + by);
        prop_assert_eq!(found(&taxed), [Difference::Amount]);

        let mut foreign = records.clone();
        foreign[at].currency = "eur".to_owned();
        prop_assert_eq!(found(&foreign), with_money(Difference::Amount));

        let mut named = records.clone();
        named[at].email = Some("ada@example.com".to_owned());
        prop_assert_eq!(found(&named), [], "what is on an invoice may change");
    }

    #[test]
    fn a_second_subscription_and_a_missing_customer_are_found(
        bought in option::of(subscription()), records in records(), live in 2_usize..5,
    ) {
        let there = Expected { live, ..expected(bought.clone(), records.clone()) };
        prop_assert_eq!(
            differences(&account(bought.clone()), &records, &there),
            [Difference::SeveralSubscriptions]
        );
        let there = Expected { is_uncollected: true, ..expected(bought.clone(), records.clone()) };
        prop_assert_eq!(
            differences(&account(bought.clone()), &records, &there),
            [Difference::CollectionPaused]
        );
        prop_assert_eq!(
            differences(&account(bought), &records, &Expected::default()),
            [Difference::CustomerMissing]
        );
    }
}

#[test]
fn what_cannot_be_read_hides_only_what_follows_from_it() {
    let with = |ids: &[&str]| {
        let unreadable = ids.iter().map(|it| (*it).to_owned()).collect();
        let bought = subscription_of(Plan::Pro, 1_800_000_000);
        Expected { unreadable, ..expected(Some(bought), Vec::new()) }
    };
    let smaller = subscription_of(Plan::Basic, 1_800_000_000);
    let shorter = subscription_of(Plan::Pro, 1_790_000_000);
    let found = |here: &Subscription, ids: &[&str]| {
        differences(&account(Some(here.clone())), &[], &with(ids))
    };
    for payment in ["ch_1", "in_1", "re_1"] {
        assert_eq!(found(&smaller, &[payment]), [Difference::Plan], "{payment}");
        assert_eq!(found(&shorter, &[payment]), [], "{payment}");
    }
    for of_subscription in ["sub_9", ""] {
        assert_eq!(found(&smaller, &["ch_1", of_subscription]), [], "{of_subscription}");
    }
}

#[test]
fn a_refund_that_failed_leaves_the_money_as_it_was() {
    let sum: i64 = KINDS.iter().map(|it| it.money(100)).sum();
    assert_eq!(sum, 100, "a payment; refund, failure, dispute and its end cancel out");
}
