//! What is known of videos, creators and hashtags: metered: each module is one Lambda, whose program is that of `src/bin/`.

pub mod batch_videos;
pub mod find_video;
pub mod get_creator;
pub mod get_hashtag;
pub mod get_video;
pub mod list_comments;
pub mod list_creator_videos;
pub mod search_videos;

use vidintel::program::Program;

/// Each function: its name and its program.
pub const FUNCTIONS: &[(&str, Program)] = &[
    ("batch-videos", batch_videos::main),
    ("find-video", find_video::main),
    ("get-creator", get_creator::main),
    ("get-hashtag", get_hashtag::main),
    ("get-video", get_video::main),
    ("list-comments", list_comments::main),
    ("list-creator-videos", list_creator_videos::main),
    ("search-videos", search_videos::main),
];
