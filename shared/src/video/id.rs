use std::{fmt, num::NonZeroU64, str::FromStr};

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime, macros::datetime};
use utoipa::ToSchema;

/// TikTok's id of a video. A string outside of Rust: it does not fit a JavaScript number.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^[1-9][0-9]{0,19}$", examples("7301234567890123456"))]
pub struct VideoId(NonZeroU64);

/// The text is not a video id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a TikTok video id: 1 to 20 digits, not starting with 0")]
pub struct InvalidVideoId;

/// No video is older than this: the first service of the kind opened in 2014.
const FIRST_VIDEO: OffsetDateTime = datetime!(2014-01-01 00:00 UTC);

impl VideoId {
    /// The id as a number; `None` for 0.
    pub fn new(id: u64) -> Option<Self> {
        NonZeroU64::new(id).map(Self)
    }

    /// The id as a number.
    pub fn get(self) -> u64 {
        self.0.get()
    }

    /// When the id was given out, which is seconds before the video's own creation time: its upper
    /// 32 bits are that second. Not documented by TikTok, so `None` where it cannot be right:
    /// before 2014, or more than a day after `now`.
    pub fn created_at_from_id(self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let seconds = i64::try_from(self.get() >> 32).ok()?;
        let at = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
        (FIRST_VIDEO..=now + Duration::DAY).contains(&at).then_some(at)
    }
}

impl fmt::Display for VideoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for VideoId {
    type Err = InvalidVideoId;

    fn from_str(text: &str) -> Result<Self, InvalidVideoId> {
        // `u64::from_str` takes a sign and leading zeros: one video must have one id.
        if !text.bytes().all(|byte| byte.is_ascii_digit()) || text.starts_with('0') {
            return Err(InvalidVideoId);
        }
        text.parse().map(Self).map_err(|_| InvalidVideoId)
    }
}

impl TryFrom<String> for VideoId {
    type Error = InvalidVideoId;

    fn try_from(text: String) -> Result<Self, InvalidVideoId> {
        text.parse()
    }
}

impl From<VideoId> for String {
    fn from(id: VideoId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);

    #[test]
    fn one_video_has_one_id() {
        for wrong in [
            "",
            "0",
            "01",
            "+1",
            "-1",
            " 1",
            "1 ",
            "1\n",
            "1.0",
            "١",
            "18446744073709551616",
            "1e3",
        ] {
            assert_eq!(wrong.parse::<VideoId>(), Err(InvalidVideoId), "{wrong:?}");
        }
        assert_eq!("18446744073709551615".parse().map(VideoId::get), Ok(u64::MAX));
        let id: VideoId = serde_json::from_str("\"7301234567890123456\"").unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"7301234567890123456\"");
    }

    #[test]
    fn the_second_is_in_the_upper_half() {
        let of = |seconds: u64| VideoId::new(seconds << 32 | 77).unwrap().created_at_from_id(NOW);
        assert_eq!(of(1_700_000_000), Some(datetime!(2023-11-14 22:13:20 UTC)));
        assert_eq!(of(1_388_534_399), None);
        assert_eq!(of((NOW.unix_timestamp() + 86_400) as u64), Some(NOW + Duration::DAY));
        assert_eq!(of((NOW.unix_timestamp() + 86_401) as u64), None);
    }

    proptest! {
        #[test]
        fn text_round_trips(id in 1..=u64::MAX) {
            let id = VideoId::new(id).unwrap();
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            id.created_at_from_id(NOW);
        }

        #[test]
        fn whatever_is_accepted_is_canonical(text in ".{0,24}") {
            if let Ok(id) = text.parse::<VideoId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
