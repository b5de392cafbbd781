//! Videos: asked of TikTok's official interfaces, merged per field, answered with provenance.
//!
//! [`Sources`] asks; what came back is a [`VideoRecord`], which is what the cache keeps; [`Video`] is
//! the answer a customer gets. Everything from a source is hostile until `text` has been over it.

mod address;
mod answer;
mod batch;
mod comment;
mod creator;
mod cursor;
mod engagement;
mod failure;
mod figure;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzz;
mod id;
mod listing;
mod oembed;
mod query;
mod record;
mod region;
mod research;
#[cfg(test)]
mod samples;
mod short_link;
mod sources;
mod state;
mod text;

use self::research::{MAX_SPAN, OFFERED_SPAN, REACHABLE};
pub use self::{
    address::{InvalidAddress, ShortLink, VideoAddress},
    answer::{Author, Picture, Sound, Statistics, Video, View},
    batch::{Batch, BatchItem, BatchRequest, ItemStatus, MAX_ITEMS},
    comment::{CommentView, Comments},
    creator::{Creator, Linked, PostingTimes, ProfileRecord, Recent, recent_days},
    cursor::Cursors,
    engagement::{Engagement, Rate, Standing},
    failure::FetchError,
    figure::{Basis, Figure, Origin, Reason, Timestamp},
    id::{InvalidVideoId, VideoId},
    listing::{Hashtag, HashtagUse, RegionUse, Sample, VideoPage, median_views},
    query::{
        Condition, MAX_PAGE, Operation, SearchField, SearchRequest, comments_from, hashtag, limit,
        page_limit, search_days,
    },
    record::{Fact, Facts, Label, Outcome, Provenance, Source, Thumbnail, VideoRecord},
    research::{
        Comment, CommentPage, FREE_CALLS_A_DAY, Position, Profile, Search, SearchPage, Spent,
    },
    short_link::{FollowError, WebAddress, follow},
    sources::{Asker, Calls, Payer, ResearchCredentials, Sources, SourcesConfig},
    state::{SourceState, source_states},
    text::MAX_HANDLE,
};
