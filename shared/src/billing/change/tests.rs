use proptest::prelude::*;

use super::*;
use crate::billing::standing::tests::bought;

const PAID: [Plan; 3] = [Plan::Basic, Plan::Pro, Plan::Business];

fn present(paid: Plan) -> Present {
    Present { paid, next: None, ends: false, is_past_due: false, pending: None, released: None }
}

/// Every state that a subscription can be in: a plan to come is a smaller one that is paid for.
fn states() -> Vec<Present> {
    let mut all = Vec::new();
    for paid in PAID {
        let smaller = PAID.into_iter().filter(|it| it.cents_per_month() < paid.cents_per_month());
        for next in smaller.map(Some).chain([None]) {
            for ends in [false, true] {
                for is_past_due in [false, true] {
                    all.push(Present { next, ends, is_past_due, ..present(paid) });
                }
            }
        }
        // A larger one waits only where nothing else is to come.
        let larger = PAID.into_iter().filter(|it| it.cents_per_month() > paid.cents_per_month());
        all.extend(larger.map(|it| Present { pending: Some(it), ..present(paid) }));
    }
    all
}

/// What the subscription is at after the step, or would be at if its period were over.
fn after(before: Present, step: Step, target: Plan) -> Present {
    match step {
        Step::Nothing => before,
        Step::Raise { .. } => Present { is_past_due: before.is_past_due, ..present(target) },
        Step::Lower => Present { next: Some(target), ends: false, pending: None, ..before },
        Step::Back => Present { next: None, ends: false, pending: None, ..before },
        Step::End => Present { ends: true, pending: None, ..before },
        Step::GoOn => Present { ends: false, pending: None, ..before },
    }
}

/// The plan from the next period on, or once it is paid.
fn to_come(it: Present) -> Plan {
    if it.ends { Plan::Free } else { it.pending.or(it.next).unwrap_or(it.paid) }
}

#[test]
fn of_a_plan_with_nothing_to_come() {
    use Plan::{Basic, Business, Free, Pro};
    let raise = Ok(Step::Raise { from_smaller: false });
    let same = Err(BillingError::SamePlan);
    let (lower, end) = (Ok(Step::Lower), Ok(Step::End));
    let table = [
        (Basic, [end, same, raise, raise]),
        (Pro, [end, lower, same, raise]),
        (Business, [end, lower, lower, same]),
    ];
    for (paid, steps) in table {
        for (target, expected) in [Free, Basic, Pro, Business].into_iter().zip(steps) {
            assert_eq!(step(present(paid), target), expected, "{paid:?} to {target:?}");
        }
    }
}

#[test]
fn of_a_plan_with_a_smaller_one_to_come() {
    use Plan::{Basic, Business, Free, Pro};
    let raise = Ok(Step::Raise { from_smaller: true });
    let table = [
        (Pro, Basic, [Ok(Step::End), Ok(Step::Nothing), Ok(Step::Back), raise]),
        (Business, Basic, [Ok(Step::End), Ok(Step::Nothing), Ok(Step::Lower), Ok(Step::Back)]),
        (Business, Pro, [Ok(Step::End), Ok(Step::Lower), Ok(Step::Nothing), Ok(Step::Back)]),
    ];
    for (paid, next, steps) in table {
        for (target, expected) in [Free, Basic, Pro, Business].into_iter().zip(steps) {
            let before = Present { next: Some(next), ..present(paid) };
            assert_eq!(step(before, target), expected, "{paid:?}, then {next:?}, to {target:?}");
        }
    }
}

#[test]
fn of_one_that_ends() {
    let ends = |paid, next| Present { next, ends: true, ..present(paid) };
    assert_eq!(step(ends(Plan::Pro, None), Plan::Free), Ok(Step::Nothing));
    assert_eq!(step(ends(Plan::Pro, None), Plan::Pro), Ok(Step::GoOn));
    assert_eq!(step(ends(Plan::Pro, None), Plan::Basic), Ok(Step::Lower));
    let raise = Step::Raise { from_smaller: false };
    assert_eq!(step(ends(Plan::Pro, None), Plan::Business), Ok(raise));
    // The smaller one was to come, before it was to end: both are taken back, or it is to come again.
    let basic = Some(Plan::Basic);
    assert_eq!(step(ends(Plan::Pro, basic), Plan::Pro), Ok(Step::Back));
    assert_eq!(step(ends(Plan::Pro, basic), Plan::Basic), Ok(Step::Lower));
}

#[test]
fn of_a_larger_one_that_waits_for_its_payment() {
    use Plan::{Basic, Business, Free, Pro};
    let raise = Ok(Step::Raise { from_smaller: false });
    let waits = Present { pending: Some(Pro), ..present(Basic) };
    let steps = [Ok(Step::End), Ok(Step::GoOn), Ok(Step::Nothing), raise];
    for (target, expected) in [Free, Basic, Pro, Business].into_iter().zip(steps) {
        assert_eq!(step(waits, target), expected, "{target:?}");
    }
}

#[test]
fn of_one_that_a_raise_has_left_halfway() {
    use Plan::{Basic, Business, Free, Pro};
    let released = Some(Released { next: Basic, ends: false });
    let halfway = Present { released, ..present(Pro) };
    // Each plan can be asked for, also the one that was to come, and the present one.
    let steps = [Step::End, Step::Lower, Step::Back, Step::Raise { from_smaller: true }];
    for (target, expected) in [Free, Basic, Pro, Business].into_iter().zip(steps) {
        assert_eq!(step(halfway, target), Ok(expected), "{target:?}");
    }
}

#[test]
fn what_was_taken_back_is_read_as_it_was_noted() {
    let now = time::macros::datetime!(2026-11-24 12:00 UTC);
    let bought = |note: String| Bought {
        last_change: Some(note),
        ..bought("sub_1", SubscriptionStatus::Active, Plan::Pro)
    };
    for ends in [false, true] {
        let released = Released { next: Plan::Basic, ends };
        let left = bought(released.note("change business x", now));
        let read = |it: &Bought| Released::of(it).map(|(it, key, at)| (it, key.to_owned(), at));
        let expected = (released, "change business x".to_owned(), now.unix_timestamp());
        assert_eq!(read(&left), Some(expected));
        let since = |at| is_abandoned(std::slice::from_ref(&left), at);
        assert!(!since(now + time::Duration::minutes(15)), "it may still be at it");
        assert!(since(now + time::Duration::minutes(16)));
        // What was asked for since counts.
        assert_eq!(read(&Bought { cancel_at: Some(1), ..left.clone() }), None);
        assert_eq!(read(&Bought { keep: Some((Plan::Pro, 1)), ..left.clone() }), None);
        assert_eq!(read(&Bought { plan: Some(Plan::Basic), ..left.clone() }), None);
    }
    for other in ["", "change pro x", "change pro x back", "change pro x back from basic at noon"] {
        assert_eq!(Released::of(&bought(other.to_owned())), None, "{other}");
    }
}

#[test]
fn who_owes_may_only_leave() {
    for before in states().into_iter().filter(|it| it.is_past_due) {
        for target in PAID {
            assert_eq!(step(before, target), Err(BillingError::PastDue), "{before:?}");
        }
        let end = if before.ends { Step::Nothing } else { Step::End };
        assert_eq!(step(before, Plan::Free), Ok(end), "{before:?}");
    }
}

proptest! {
    /// Whatever is asked for in whatever order: what is asked for last is what comes, nothing that was paid
    /// for is lost before the period is over, and asking again changes nothing.
    #[test]
    fn what_was_asked_for_last_comes(
        targets in prop::collection::vec((0_usize..4, any::<bool>()), 1..12),
    ) {
        let mut at = present(Plan::Basic);
        for (target, waits) in targets.into_iter().map(|(n, waits)| (Plan::ALL[n], waits)) {
            let before = at;
            match step(before, target) {
                // The bank wants it confirmed.
                Ok(Step::Raise { .. }) if waits && before.next.is_none() && !before.ends => {
                    at.pending = Some(target);
                }
                Ok(step) => at = after(before, step, target),
                Err(error) => {
                    prop_assert_eq!(error, BillingError::SamePlan);
                    prop_assert_eq!(at, present(target));
                }
            }
            prop_assert_eq!(to_come(at), target);
            prop_assert!(at.paid.cents_per_month() >= before.paid.cents_per_month());
            match step(at, target) {
                Ok(again) => prop_assert_eq!(again, Step::Nothing),
                Err(error) => prop_assert_eq!(error, BillingError::SamePlan),
            }
            prop_assert!(states().contains(&at));
        }
    }
}
