//! Many videos at once: each item is answered for itself.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Video;
use crate::error::InputError;

/// Most items of a batch.
pub const MAX_ITEMS: usize = 100;

/// What to look up.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchRequest {
    /// Video ids and addresses, 1 to 100 in any form that `GET /v1/videos` takes.
    #[schema(min_items = 1, max_items = 100, example = json!(["7301234567890123456", "https://vm.tiktok.com/ZMabc123/"]))]
    pub videos: Vec<String>,
}

impl BatchRequest {
    /// Fails unless there are as many items as there may be.
    pub fn check(&self) -> Result<(), InputError> {
        if (1..=MAX_ITEMS).contains(&self.videos.len()) {
            return Ok(());
        }
        Err(InputError::field("videos", format!("must have 1 to {MAX_ITEMS} items")))
    }
}

/// What became of each item. Only different videos that are found are charged.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Batch {
    /// In the order of the request.
    pub items: Vec<BatchItem>,
    /// Requests that this answer is charged as: different videos that were found.
    #[schema(examples(1))]
    pub charged: u64,
}

/// What became of one item.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct BatchItem {
    /// Its place in the request, from 0 on.
    #[schema(examples(0))]
    pub index: usize,
    /// What became of it.
    pub status: ItemStatus,
    /// The video; `null` unless found.
    #[schema(required = true)]
    pub video: Option<Video>,
    /// What happened, in the words of the answer to a single request; `null` if found.
    #[schema(required = true, examples("no source shows such a video"))]
    pub detail: Option<String>,
}

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ItemStatus {
    /// Here it is.
    Found,
    /// No source shows such a video, or the link leads to none.
    NotFound,
    /// Its creator objected.
    Suppressed,
    /// The sources failed; asking again may help.
    Failed,
    /// Neither an id nor an address of a video.
    Invalid,
}
