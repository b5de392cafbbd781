//! What goes wrong with calls on one table, where a test says so.

use std::time::Duration;

/// What a call meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A transaction is working on the item: a single write is refused, a transaction cancelled.
    Conflict,
    /// The table's throughput is exceeded; a transaction is cancelled for it.
    Throttle,
    /// It fails with nothing done.
    Fail,
    /// It is done, and the connection breaks before the answer.
    Lose,
    /// It is done, and the answer comes so much later.
    Late(Duration),
    /// Of a batch, the second half is left unprocessed.
    Half,
}

/// Which of a table's calls meet it, of those that can.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Which {
    /// The next so many; then it is over.
    Next(u32),
    /// Every so-many-th.
    Every(u32),
    /// Each with this probability.
    Some(f64),
}

/// What a call is, for what it can meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Read,
    Write,
    Transaction,
    Batch,
}

impl Shape {
    pub(super) fn of(operation: &str) -> Self {
        match operation {
            "PutItem" | "UpdateItem" | "DeleteItem" => Self::Write,
            "TransactWriteItems" => Self::Transaction,
            "BatchGetItem" | "BatchWriteItem" => Self::Batch,
            _ => Self::Read,
        }
    }
}

impl Trouble {
    fn can_meet(self, shape: Shape) -> bool {
        match self {
            Self::Conflict => matches!(shape, Shape::Write | Shape::Transaction),
            Self::Half => shape == Shape::Batch,
            Self::Throttle | Self::Fail | Self::Lose | Self::Late(_) => true,
        }
    }
}

/// Everything that is wrong at the moment.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    rules: Vec<Rule>,
    /// State of the random numbers: the same ones in each run.
    random: u64,
    /// How many calls have met something.
    pub(super) met: u64,
}

#[derive(Debug)]
struct Rule {
    table: String,
    trouble: Trouble,
    which: Which,
    seen: u32,
}

impl Troubles {
    pub(super) fn add(&mut self, table: String, trouble: Trouble, which: Which) {
        self.rules.push(Rule { table, trouble, which, seen: 0 });
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    /// What a call on `tables` meets, and on which of them. Each rule that applies counts it.
    pub(super) fn meet(&mut self, tables: &[&str], shape: Shape) -> Option<(Trouble, String)> {
        let mut found = None;
        for rule in &mut self.rules {
            if !tables.contains(&rule.table.as_str()) || !rule.trouble.can_meet(shape) {
                continue;
            }
            rule.seen = rule.seen.saturating_add(1);
            let meets = match rule.which {
                Which::Next(count) => rule.seen <= count,
                Which::Every(count) => rule.seen.is_multiple_of(count.max(1)),
                Which::Some(odds) => {
                    // Weyl's sequence, mixed: even enough for this.
                    self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
                    let mixed =
                        (self.random ^ (self.random >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                    ((mixed >> 11) as f64) < odds * (1_u64 << 53) as f64
                }
            };
            if meets && found.is_none() {
                found = Some((rule.trouble, rule.table.clone()));
            }
        }
        self.rules.retain(|it| !matches!(it.which, Which::Next(count) if it.seen >= count));
        self.met += u64::from(found.is_some());
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(troubles: &mut Troubles, calls: usize, shape: Shape) -> usize {
        (0..calls).filter(|_| troubles.meet(&["a"], shape).is_some()).count()
    }

    #[test]
    fn it_meets_the_calls_it_can_meet_and_those_it_is_told_to() {
        let mut troubles = Troubles::default();
        troubles.add("a".to_owned(), Trouble::Conflict, Which::Next(2));
        assert_eq!(met(&mut troubles, 3, Shape::Read), 0);
        assert!(troubles.meet(&["b"], Shape::Write).is_none());
        assert_eq!(met(&mut troubles, 5, Shape::Write), 2);
        troubles.add("a".to_owned(), Trouble::Throttle, Which::Every(3));
        assert_eq!(met(&mut troubles, 9, Shape::Read), 3);
        troubles.clear();
        troubles.add("a".to_owned(), Trouble::Lose, Which::Some(0.25));
        let some = met(&mut troubles, 1_000, Shape::Transaction);
        assert!((200..300).contains(&some), "{some}");
        assert_eq!(troubles.met as usize, 2 + 3 + some);
    }
}
