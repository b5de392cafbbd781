use proptest::prelude::*;
use time::macros::datetime;

use super::*;

#[test]
fn a_day_is_one_of_utc() {
    let at = datetime!(2026-11-25 00:30 +01:00);
    assert_eq!(period(at), "research#2026-11-24");
}

const PAID: Option<Plan> = Some(Plan::Basic);
const FREE: Option<Plan> = Some(Plan::Free);

fn spent(calls: u64, customers: u64) -> Spent {
    Spent { calls, customers, ..Spent::default() }
}

#[test]
fn the_only_customer_leaves_half_for_the_next_one() {
    assert!(has_room(&spent(499, 1), &spent(499, 0), PAID, 100));
    assert!(!has_room(&spent(500, 1), &spent(500, 0), PAID, 100));
    // The next one, and the service itself.
    assert!(has_room(&spent(500, 1), &Spent::default(), PAID, 100));
    assert!(has_room(&spent(500, 1), &spent(49, 0), None, 100));
    assert!(!has_room(&spent(500, 1), &spent(50, 0), None, 100));
    assert!(!has_room(&spent(1_000, 1), &Spent::default(), None, 100));
}

#[test]
fn an_account_on_the_free_plan_has_two_calls_of_the_fifth_that_they_share() {
    let all = |free_calls| Spent { calls: 300, free_calls, ..Spent::default() };
    assert!(has_room(&all(199), &spent(1, 0), FREE, 100));
    assert!(!has_room(&all(199), &spent(2, 0), FREE, 100));
    assert!(!has_room(&all(200), &Spent::default(), FREE, 100));
    assert!(!has_room(&Spent { free_calls: 9, ..spent(900, 2) }, &spent(0, 0), FREE, 100));
    // Those who pay have theirs whatever the others do, also of the same day.
    assert!(has_room(&all(200), &spent(2, 0), PAID, 100));
}

#[test]
fn what_is_not_charged_has_a_limit_of_its_own() {
    let own = |unpaid| Spent { calls: 60, unpaid, ..Spent::default() };
    for (unpaid, may) in [(49, true), (50, false), (80, false)] {
        assert_eq!(has_room(&spent(60, 1), &own(unpaid), PAID, 1), may, "{unpaid}");
    }
}

proptest! {
    /// Customers on any plan ask in any order for any number of records, all of which come; some is
    /// not charged.
    #[test]
    fn the_day_is_never_exceeded_and_nobody_takes_it_all(
        asks in prop::collection::vec((0..6usize, 1..=100u64, 0..8u8), 0..2_500),
        frees in prop::collection::vec(1..=100u64, 0..400),
    ) {
        let mut all = Spent::default();
        let take = |all: &mut Spent, own: &mut Spent, plan, records| {
            if !has_room(all, own, plan, records) {
                return false;
            }
            all.customers += u64::from(own.calls + 1 == FREELY);
            all.free_calls += u64::from(plan == FREE);
            for spent in [all, own] {
                spent.calls += 1;
                spent.records += records;
            }
            true
        };
        let mut own = [Spent::default(); 6];
        let mut frees = frees.into_iter();
        for (who, records, luck) in asks {
            if take(&mut all, &mut own[who], PAID, records) {
                own[who].unpaid += u64::from(luck == 0);
            }
            // A crowd of free accounts, each of which asks three times.
            if let Some(records) = frees.next() {
                let mut one = Spent::default();
                let got = (0..3).filter(|_| take(&mut all, &mut one, FREE, records)).count();
                prop_assert!(got as u64 <= FREE_CALLS_A_DAY);
            }
        }
        prop_assert!(all.calls <= CALLS && all.records <= RECORDS);
        prop_assert!(all.free_calls <= FREE_TOGETHER);
        // A paying customer who comes last still gets something.
        prop_assert!(has_room(&all, &Spent::default(), PAID, 100));
        for spent in own {
            prop_assert!(spent.calls <= CALLS / 2 && spent.records <= RECORDS / 2);
            prop_assert!(spent.unpaid <= UNPAID);
        }
    }
}
