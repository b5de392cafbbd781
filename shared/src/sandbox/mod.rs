//! The sandbox: what keys of the environment `test` are answered with. A small made-up catalogue in which
//! each case has an id, a handle or a word that triggers it, so that customers can write tests.
//!
//! Everything is a function of its arguments and of the time of the request; nothing is looked up. The
//! tables in `cases` say what there is: the answers, `docs/SANDBOX.md` and the tests all come from them.

mod cases;
mod comments;
mod document;
mod fault;
mod search;
mod videos;

use time::{Date, OffsetDateTime, macros::datetime};

pub use self::{
    cases::{CREATORS, Case, Creator, Shape, VIDEOS, WORDS, Word},
    comments::comments,
    document::document,
    fault::{Fault, Trouble},
    search::search,
    videos::video,
};
use crate::video::{Profile, recent_days as recent_days_of};

/// The days that count as recent here: the last ones of the videos that Research knows, which do not move
/// with time.
pub fn recent_days() -> (Date, Date) {
    let created = videos::in_research().filter_map(|it| it.id.created_at_from_id(AFTER));
    recent_days_of(created.max().unwrap_or(AFTER))
}

/// Some time after everything in the catalogue was made.
const AFTER: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);

/// The profile of the creator `username`, whose upper and lower case are the same; `None` if there is none.
pub fn profile(username: &str, now: OffsetDateTime) -> Result<Option<Profile>, Trouble> {
    let Some(case) = CREATORS.iter().find(|it| it.key.eq_ignore_ascii_case(username)) else {
        return Ok(None);
    };
    match &case.answer {
        Ok(creator) => Ok(Some(creator.profile())),
        Err(Fault::NoCreator) => Ok(None),
        Err(fault) => Err(fault.trouble(now)),
    }
}

#[cfg(test)]
mod tests;
