//! Videos: asked of TikTok's official interfaces, merged per field, answered with provenance.
//!
//! [`Sources`] asks; what came back is a [`VideoRecord`], which is what the cache keeps; [`Video`] is
//! the answer a customer gets. Everything from a source is hostile until `text` has been over it.

mod answer;
mod engagement;
mod figure;
mod id;
mod oembed;
mod record;
mod research;
mod sources;
mod state;
mod text;

pub use self::{
    answer::{Author, Picture, Sound, Statistics, Video, View},
    engagement::{Engagement, Rate},
    figure::{Basis, Figure, Origin, Reason, Timestamp},
    id::{InvalidVideoId, VideoId},
    record::{Fact, Facts, Label, Outcome, Provenance, Source, Thumbnail, VideoRecord},
    research::{Comment, CommentPage, Position, Profile, Search, SearchPage, Spent},
    sources::{Asker, FetchError, ResearchCredentials, Sources, SourcesConfig},
    state::{SourceState, source_states},
};
