//! Pages of a list, newest first.

use super::{
    api::Answer,
    params::Params,
    refusal::Refusal,
    render,
    state::{Object, State},
};

/// What of a list is wanted.
#[derive(Debug)]
pub(super) struct Window {
    limit: usize,
    starting_after: Option<String>,
    ending_before: Option<String>,
    /// Bounds of `created`, both ends included.
    from: i64,
    to: i64,
}

impl Window {
    /// Takes out the parameters that every list has, `created` among them.
    pub(super) fn take(params: &mut Params) -> Result<Self, Refusal> {
        let limit = params.number("limit")?.unwrap_or(10);
        let limit = usize::try_from(limit).ok().filter(|it| (1..=100).contains(it));
        let limit =
            limit.ok_or_else(|| Refusal::parameter_invalid("limit", "between 1 and 100"))?;
        let (mut from, mut to) = (i64::MIN, i64::MAX);
        if let Some(at) = params.number("created")? {
            (from, to) = (at, at);
        }
        let mut bound = |name| params.number(name);
        if let Some(at) = bound("created[gte]")? {
            from = from.max(at);
        }
        if let Some(at) = bound("created[gt]")? {
            from = from.max(at.saturating_add(1));
        }
        if let Some(at) = bound("created[lte]")? {
            to = to.min(at);
        }
        if let Some(at) = bound("created[lt]")? {
            to = to.min(at.saturating_sub(1));
        }
        let starting_after = params.nonempty("starting_after");
        let ending_before = params.nonempty("ending_before");
        Ok(Self { limit, starting_after, ending_before, from, to })
    }

    /// The page of the rows that `matches`.
    pub(super) fn cut<T: Object>(
        &self,
        state: &State,
        url: &str,
        matches: impl Fn(&T) -> bool,
    ) -> Answer {
        let is_within = |row: &T| (self.from..=self.to).contains(&row.created());
        let table = T::table(state);
        let rows = table.iter().rev().filter(|row| is_within(row) && matches(row));
        let (page, has_more) = match (&self.starting_after, &self.ending_before) {
            (Some(id), _) => {
                state.refer::<T>(id, "starting_after")?;
                // The position in the whole list counts, even if that row itself does not match.
                let older = table.iter().take_while(|row| row.id() != *id).count();
                let rows = table.iter().take(older).rev();
                self.fill(rows.filter(|row| is_within(row) && matches(row)))
            }
            (None, Some(id)) => {
                state.refer::<T>(id, "ending_before")?;
                let newer = table.iter().skip_while(|row| row.id() != *id).skip(1);
                let (mut page, has_more) =
                    self.fill(newer.filter(|row| is_within(row) && matches(row)));
                page.reverse();
                (page, has_more)
            }
            (None, None) => self.fill(rows),
        };
        let data = page.into_iter().map(|row| row.render(state)).collect();
        Ok(render::list(data, url, has_more))
    }

    fn fill<'r, T>(&self, mut rows: impl Iterator<Item = &'r T>) -> (Vec<&'r T>, bool) {
        let page = rows.by_ref().take(self.limit).collect();
        (page, rows.next().is_some())
    }
}
