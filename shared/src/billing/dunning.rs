//! When an overdue payment is reminded of, and when its plan ends. Nothing here asks anybody.

use time::OffsetDateTime;

use super::GRACE_DAYS;

/// Days after a payment failed on which a mail says so. After [`GRACE_DAYS`] the plan ends.
pub const MAIL_DAYS: [i64; 4] = [0, 3, 7, 12];

const DAY: i64 = 24 * 60 * 60;

/// What is next about an overdue payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A mail. It stands for those before it that were missed.
    Mail {
        /// Mails sent or missed, once it is.
        sent: u32,
        /// When to look again (epoch seconds).
        next_at: i64,
    },
    /// Nothing yet.
    Wait {
        /// When to look again (epoch seconds).
        next_at: i64,
    },
    /// The grace is over.
    End,
}

/// When the plan ends whose payment is overdue since `since` (epoch seconds).
pub(super) fn ends_at(since: i64) -> i64 {
    since + GRACE_DAYS * DAY
}

/// How many mails about a payment that is overdue since `since` were due by `at` (both epoch seconds).
pub(super) fn due_by(since: i64, at: i64) -> u32 {
    let due = MAIL_DAYS.iter().filter(|day| since + **day * DAY <= at).count();
    u32::try_from(due).unwrap_or(u32::MAX)
}

/// What is next at `now`, of a payment that is overdue since `since`, about which `sent` mails were sent.
pub(super) fn step(since: i64, sent: u32, now: OffsetDateTime) -> Step {
    let now = now.unix_timestamp();
    if now >= ends_at(since) {
        return Step::End;
    }
    let due = due_by(since, now);
    let next = MAIL_DAYS.get(due as usize).map(|day| since + day * DAY);
    let next_at = next.unwrap_or_else(|| ends_at(since));
    match due > sent {
        true => Step::Mail { sent: due, next_at },
        false => Step::Wait { next_at },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    /// Looks at each time that the step before has named: the seconds after `since` at which a mail went,
    /// and at which it ended.
    fn course(since: i64, first: i64) -> (Vec<i64>, i64) {
        let (mut mails, mut at, mut count) = (Vec::new(), first, 0);
        loop {
            match step(since, count, OffsetDateTime::from_unix_timestamp(at).expect("an instant")) {
                Step::Mail { sent, next_at } => {
                    mails.push(at - since);
                    (count, at) = (sent, next_at);
                }
                Step::Wait { next_at } => at = next_at,
                Step::End => return (mails, at - since),
            }
        }
    }

    #[test]
    fn four_mails_go_before_the_end() {
        let since = datetime!(2026-11-24 12:00 UTC).unix_timestamp();
        assert_eq!(course(since, since), (vec![0, 3 * DAY, 7 * DAY, 12 * DAY], 14 * DAY));
    }

    #[test]
    fn what_was_missed_is_said_once() {
        let since = datetime!(2026-11-24 12:00 UTC).unix_timestamp();
        assert_eq!(course(since, since + 8 * DAY), (vec![8 * DAY, 12 * DAY], 14 * DAY));
        assert_eq!(course(since, since + 15 * DAY), (vec![], 15 * DAY));
    }

    proptest! {
        #[test]
        fn the_next_look_is_later_and_never_after_the_end(
            since in 0i64..4_000_000_000, after in -1_000i64..20 * DAY, sent in 0u32..6,
        ) {
            let now = OffsetDateTime::from_unix_timestamp(since + after).expect("an instant");
            match step(since, sent, now) {
                Step::Mail { sent: count, next_at } => {
                    prop_assert!(after >= 0 && count > sent);
                    prop_assert!(next_at > since + after && next_at <= ends_at(since));
                    prop_assert_eq!(step(since, count, now), Step::Wait { next_at });
                }
                Step::Wait { next_at } => {
                    prop_assert!(next_at > since + after && next_at <= ends_at(since));
                }
                Step::End => prop_assert!(after >= GRACE_DAYS * DAY),
            }
        }
    }
}
