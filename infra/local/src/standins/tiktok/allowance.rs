//! The Research API's daily allowance, which its interfaces share.

use time::Date;

use super::TikTok;

/// What was used of the allowance on one day (UTC).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Calls that arrived within the allowance, whatever came of them.
    pub calls: u64,
    /// Videos, comments and users that were answered.
    pub records: u64,
    /// Calls that were refused because the allowance was used up, or its records would have been.
    /// Zero as long as the caller keeps to it.
    pub refused: u64,
}

/// How much there is each day, and what of it is gone.
#[derive(Debug)]
pub(super) struct Allowance {
    calls: u64,
    records: u64,
    day: Option<Date>,
    spent: Spent,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { calls: 1_000, records: 100_000, day: None, spent: Spent::default() }
    }
}

impl Allowance {
    /// Takes a call; `false` if there is none left.
    pub(super) fn admit(&mut self, today: Date) -> bool {
        let (calls, records) = (self.calls, self.records);
        let spent = self.on(today);
        if spent.calls >= calls || spent.records >= records {
            spent.refused += 1;
            return false;
        }
        spent.calls += 1;
        true
    }

    /// Takes the records of an answer; `false`, and none taken, if that many are not left.
    pub(super) fn charge(&mut self, more: u64, today: Date) -> bool {
        let records = self.records;
        let spent = self.on(today);
        if spent.records.saturating_add(more) > records {
            spent.refused += 1;
            return false;
        }
        spent.records += more;
        true
    }

    fn on(&mut self, today: Date) -> &mut Spent {
        if self.day != Some(today) {
            self.day = Some(today);
            self.spent = Spent::default();
        }
        &mut self.spent
    }
}

impl TikTok {
    /// Sets how many calls and records the Research API allows a day; at first 1,000 and 100,000.
    pub fn set_allowance(&self, calls: u64, records: u64) {
        let mut state = self.state();
        (state.allowance.calls, state.allowance.records) = (calls, records);
    }

    /// What was used of the allowance since midnight.
    pub fn spent(&self) -> Spent {
        let today = self.now().date();
        *self.state().allowance.on(today)
    }
}
