//! Pages of a list, as the Research API cuts them.

/// The API's words for a count or a cursor that it does not take.
pub(super) const INVALID: &str = "Invalid count or cursor";

/// Where a page begins and how much it may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) cursor: usize,
    pub(super) max_count: usize,
}

/// A part of a list. It may be shorter than the window although there is more.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    /// The cursor of the next page.
    pub(super) end: usize,
    pub(super) has_more: bool,
}

impl Window {
    /// Checks what was asked for.
    pub(super) fn check(
        cursor: Option<i64>,
        max_count: Option<i64>,
        default: usize,
    ) -> Result<Self, &'static str> {
        let number = |it: Option<i64>, default| it.map_or(Ok(default), usize::try_from);
        let (Ok(cursor), Ok(max_count)) = (number(cursor, 0), number(max_count, default)) else {
            return Err(INVALID);
        };
        if !(1..=100).contains(&max_count) {
            return Err(INVALID);
        }
        Ok(Self { cursor, max_count })
    }

    /// The page of `slots`. In an empty slot there was something that is gone.
    pub(super) fn cut<T>(self, slots: Vec<Option<T>>) -> Page<T> {
        let end = self.cursor.saturating_add(self.max_count);
        let has_more = end < slots.len();
        let items = slots.into_iter().skip(self.cursor).take(self.max_count).flatten().collect();
        Page { items, end, has_more }
    }

    /// Spreads the items over more pages than they need: none is full, and the second one is empty.
    pub(super) fn spread<T>(self, items: Vec<T>) -> Vec<Option<T>> {
        let each = (self.max_count * 2 / 3).min(items.len().div_ceil(2)).max(1);
        let mut slots = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 && index % each == 0 {
                let pages = slots.len().div_ceil(self.max_count) + usize::from(index == each);
                slots.resize_with(pages * self.max_count, || None);
            }
            slots.push(Some(item));
        }
        slots
    }
}
