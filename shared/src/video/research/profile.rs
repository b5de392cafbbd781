//! What Research says of a creator. Live, unlike everything else.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    super::{failure::Failure, sources::Asker, text},
    Call, CallError, Research, number,
};

const PATH: &str = "/v2/research/user/info/";

const FIELDS: &str = "display_name,bio_description,avatar_url,bio_url,is_verified,follower_count,\
    following_count,likes_count,video_count";

/// Longest bio that is passed on; TikTok allows 80 characters.
const MAX_BIO: usize = 500;

/// A creator's profile, as the source has it. What it left out is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Name as shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// What the creator says of themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bio: Option<String>,
    /// Whether TikTok has verified who it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
    /// Followers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub followers: Option<u64>,
    /// Creators that this one follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub following: Option<u64>,
    /// Likes of all videos.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub likes: Option<u64>,
    /// Videos.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub videos: Option<u64>,
}

impl Research {
    /// The profile of `username`; `None` if Research does not have it or must not show it.
    pub(in super::super) async fn profile(
        &self,
        username: &str,
        asker: Asker<'_>,
    ) -> Result<Option<Profile>, Failure> {
        let body = json!({ "username": username });
        let call = Call { path: PATH, fields: FIELDS, body: &body, records: 1, count: |_| 1 };
        match self.call(call, asker).await {
            Ok(data) => Ok(Some(profile(&data))),
            Err(CallError::Refused(message)) if is_absent(&message) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether the refusal says that there is no such creator, or none that may be shown.
fn is_absent(message: &str) -> bool {
    message.contains("cannot find the user") || message.contains("cannot return this user")
}

pub(super) fn profile(data: &Value) -> Profile {
    let count = |name: &str| number(&data[name]);
    Profile {
        display_name: data["display_name"].as_str().and_then(|it| text::line(it, text::MAX_NAME)),
        bio: data["bio_description"].as_str().and_then(|it| text::lines(it, MAX_BIO)),
        verified: data["is_verified"].as_bool(),
        followers: count("follower_count"),
        following: count("following_count"),
        likes: count("likes_count"),
        videos: count("video_count"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::video::record::tests::any_json;

    #[test]
    fn a_profile_as_it_is_documented() {
        let data = json!({
            "bio_description": "my_bio", "is_verified": false, "likes_count": 27_155_089,
            "video_count": 44, "follower_count": 232, "display_name": "my nick name\u{0}",
            "avatar_url": "https://example.com/my_avatar",
        });
        assert_eq!(
            profile(&data),
            Profile {
                display_name: Some("my nick name".to_owned()),
                bio: Some("my_bio".to_owned()),
                verified: Some(false),
                followers: Some(232),
                following: None,
                likes: Some(27_155_089),
                videos: Some(44),
            }
        );
    }

    proptest! {
        #[test]
        fn any_json_is_survived(answer in any_json()) {
            let _ = profile(&answer);
        }
    }
}
