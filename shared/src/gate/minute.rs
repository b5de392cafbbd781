//! The minute without Redis, in the quota's own item: an approximation that never lets more through than
//! the limit.
//!
//! Time is cut into slots of five seconds. A request is let in if what was let in during its slot and the
//! twelve before it leaves room, which is at least the last minute and at most five seconds more. So nobody
//! gets a second window, and who is refused waits up to five seconds longer than an exact count would have
//! them wait. The count of Redis and this one do not know of each other: at the moment of a change from one
//! to the other an account may have what both allow. A change of plan counts from the next slot on. An event
//! that was overtaken counts in the slot of what has overtaken it.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;
use time::OffsetDateTime;

use super::epoch_ms;
use crate::store::{Item, n, number, s, text};

const SLOT_MS: i64 = 5_000;

/// Slots of a minute.
const MINUTE: i64 = 12;

/// How long what was let in matters.
pub(super) const LONGEST: time::Duration = time::Duration::milliseconds((MINUTE + 1) * SLOT_MS);

/// What was let in during the latest slot and those before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Minute {
    /// The latest slot.
    pub(super) slot: i64,
    /// What it had room for when it began.
    pub(super) offered: u64,
    /// What of that is left.
    pub(super) spare: u64,
    /// Earlier slots in which requests were let in, and how many.
    past: Vec<(i64, u64)>,
}

/// How many slots tokens of updates are kept for at least: longer than a call with all its tries.
const TOKENS: i64 = 3;

/// Whether the tokens of updates that were noted up to slot `last` take the place of older ones in `slot`.
pub(super) fn ends_tokens(last: i64, slot: i64) -> bool {
    last.div_euclid(TOKENS) != slot.div_euclid(TOKENS)
}

/// The slot that holds `now`.
pub(super) fn slot_of(now: OffsetDateTime) -> i64 {
    epoch_ms(now).div_euclid(SLOT_MS)
}

impl Minute {
    /// The minute in attribute `name` of `item`, if there is one.
    pub(super) fn of(item: &Item, name: &str) -> Option<Self> {
        let map = item.get(name)?.as_m().ok()?;
        let past = text(map, "w_past").unwrap_or_default().split_terminator(' ');
        let past = past.filter_map(|entry| {
            let (slot, count) = entry.split_once(':')?;
            Some((slot.parse().ok()?, count.parse().ok()?))
        });
        let count = |name| number(map, name).map(i64::unsigned_abs);
        Some(Self {
            slot: number(map, "w_slot")?,
            offered: count("w_offered")?,
            spare: count("w_spare")?,
            past: past.collect(),
        })
    }

    pub(super) fn to_attribute(&self) -> AttributeValue {
        let past: String =
            self.past.iter().map(|(slot, count)| format!("{slot}:{count} ")).collect();
        AttributeValue::M(HashMap::from([
            ("w_slot".to_owned(), n(self.slot)),
            ("w_offered".to_owned(), n(self.offered)),
            ("w_spare".to_owned(), n(self.spare)),
            ("w_past".to_owned(), s(past)),
        ]))
    }

    /// Whether a request of `slot` counts in the latest slot: it is the same, or was overtaken. More than a
    /// minute ahead is no event that has overtaken it but another clock.
    pub(super) fn holds(&self, slot: i64) -> bool {
        (slot..=slot + MINUTE).contains(&self.slot)
    }

    /// As it is when `slot` begins, `limit` being allowed in any minute.
    pub(super) fn opened(before: Option<&Self>, slot: i64, limit: u64) -> Self {
        let past: Vec<_> = before.map(Self::let_in).unwrap_or_default();
        let past: Vec<_> =
            past.into_iter().filter(|it| (slot - MINUTE..slot).contains(&it.0)).collect();
        let offered = limit.saturating_sub(past.iter().map(|it| it.1).sum());
        Self { slot, offered, spare: offered, past }
    }

    /// Every slot in which requests were let in, and how many, oldest first.
    fn let_in(&self) -> Vec<(i64, u64)> {
        let latest = (self.slot, self.offered.saturating_sub(self.spare));
        self.past.iter().copied().chain([latest]).filter(|it| it.1 > 0).collect()
    }

    /// How many would be let in at `now`, and how long it takes until `count` would be, of `limit` in any
    /// minute. Then they really are.
    pub(super) fn outlook(
        before: Option<&Self>,
        count: u64,
        limit: u64,
        now: OffsetDateTime,
    ) -> (u64, Duration) {
        let slot = slot_of(now);
        let free = |slot| match before {
            Some(minute) if minute.holds(slot) => minute.spare,
            _ => Self::opened(before, slot, limit).spare,
        };
        let has_room = |slot: &i64| free(*slot) >= count;
        let latest = before.map_or(slot, |it| it.slot.max(slot));
        let room = (slot..=latest + MINUTE + 1).find(has_room).unwrap_or(latest + MINUTE + 1);
        let wait = (room * SLOT_MS - epoch_ms(now)).max(0).unsigned_abs();
        (free(slot), Duration::from_millis(wait))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    const NOON: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);

    fn after(ms: i64) -> OffsetDateTime {
        NOON + time::Duration::milliseconds(ms)
    }

    /// Lets `count` in at `now` if there is room.
    fn ask(minute: &mut Option<Minute>, count: u64, limit: u64, now: OffsetDateTime) -> bool {
        let slot = slot_of(now);
        let mut next = match minute.take() {
            Some(it) if it.holds(slot) => it,
            before => Minute::opened(before.as_ref(), slot, limit),
        };
        let has_room = next.spare >= count;
        if has_room {
            next.spare -= count;
        }
        // As it is kept.
        let item = Item::from([("minute_live".to_owned(), next.to_attribute())]);
        *minute = Minute::of(&item, "minute_live");
        assert_eq!(minute.as_ref(), Some(&next));
        has_room
    }

    #[test]
    fn a_burst_at_the_end_of_a_minute_leaves_nothing_for_the_next_one() {
        let mut minute = None;
        assert!(ask(&mut minute, 10, 10, after(59_900)));
        for ms in [60_000, 64_999, 90_000, 119_899] {
            assert!(!ask(&mut minute, 1, 10, after(ms)), "{ms}");
        }
        assert!(ask(&mut minute, 10, 10, after(120_000)));
    }

    proptest! {
        #[test]
        fn no_minute_has_more_than_its_limit_and_a_wait_is_as_long_as_it_says(
            limit in 1u64..20, asks in prop::collection::vec((0i64..30_000, 1u64..6), 1..60)
        ) {
            let (mut minute, mut now, mut let_in) = (None, 0, Vec::<(i64, u64)>::new());
            for (pause, count) in asks {
                now += pause;
                let count = count.min(limit);
                let last_65: u64 = let_in.iter().filter(|it| it.0 > now - 65_000).map(|it| it.1).sum();
                let (free, wait) = Minute::outlook(minute.as_ref(), count, limit, after(now));
                let wait = wait.as_millis() as i64;
                let had = minute.clone();
                if ask(&mut minute, count, limit, after(now)) {
                    let_in.push((now, count));
                    prop_assert!(free >= count && wait == 0);
                } else {
                    prop_assert!(free < count && wait > 0 && wait <= 65_000);
                    prop_assert!(last_65 + count > limit, "refused without need");
                    prop_assert!(ask(&mut had.clone(), count, limit, after(now + wait)));
                    prop_assert!(!ask(&mut had.clone(), count, limit, after(now + wait - 1)));
                }
                let last_60: u64 = let_in.iter().filter(|it| it.0 > now - 60_000).map(|it| it.1).sum();
                prop_assert!(last_60 <= limit, "{last_60} of {limit}");
            }
        }
    }
}
