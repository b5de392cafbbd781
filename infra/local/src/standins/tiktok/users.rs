//! What creators say of themselves, and how many follow them.

use axum::{
    body::Bytes,
    extract::{RawQuery, State},
    response::Response,
};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Endpoint, TikTok,
    catalogue::{self, Random},
    research::{Asked, Call, Found, respond},
};

/// Every field that may be asked for.
const FIELDS: [&str; 9] = [
    "display_name",
    "bio_description",
    "avatar_url",
    "bio_url",
    "is_verified",
    "follower_count",
    "following_count",
    "likes_count",
    "video_count",
];

/// The Research API does not speak of this one.
const WITHHELD: &str = "ebb_and_tide";

/// This one's answer lacks most fields.
const SPARSE: &str = "grid.runner";

/// Nobody follows this one.
const UNFOLLOWED: &str = "tiny.trains";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    username: String,
}

impl TikTok {
    /// Sets what the creator says of themselves; a name that nobody has changes nothing.
    pub fn set_bio(&self, username: &str, bio: &str) {
        if let Some((username, _)) = catalogue::creator(username) {
            self.state().bios.insert(username.to_owned(), bio.to_owned());
        }
    }
}

pub(super) async fn info(
    State(tiktok): State<TikTok>,
    RawQuery(parameters): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let call = Call { parameters, headers, body };
    respond(&tiktok, Endpoint::Users, &FIELDS, call, answer).await
}

fn answer(tiktok: &TikTok, asked: &Asked<'_>) -> Result<Found, String> {
    let Request { username } = asked.body()?;
    let Some((username, display_name)) = catalogue::creator(&username) else {
        return Err(format!("Username {username} is invalid: cannot find the user"));
    };
    if username == WITHHELD {
        return Err("API cannot return this user's information".to_owned());
    }
    let data = asked.select(|field| match field {
        "display_name" => Some(display_name.into()),
        "bio_description" => bio(tiktok, username).map(Value::from),
        _ => value_of(tiktok, username, field),
    });
    Ok(Found { data: Value::Object(data), records: 1 })
}

fn bio(tiktok: &TikTok, username: &str) -> Option<String> {
    let changed = tiktok.state().bios.get(username).cloned();
    changed.or_else(|| match username {
        SPARSE => None,
        // Not all say something.
        "moss.maps" => Some(String::new()),
        _ => Some(format!("Made-up videos by {username} 🎬\nnew ones on most days")),
    })
}

/// Unlike the counts of videos, these are live.
fn value_of(tiktok: &TikTok, username: &str, field: &str) -> Option<Value> {
    let seed = username.bytes().fold(0, |seed, byte| seed << 5 ^ seed >> 59 ^ u64::from(byte));
    let mut random = Random(seed);
    let (followers, following) = (200 + random.below(2_000_000), random.below(2_000));
    let is_verified = random.below(3) == 0;
    let is_sparse = username == SPARSE;
    let videos = || tiktok.videos().filter(|it| it.username == username);
    let value = match field {
        "is_verified" => is_verified.into(),
        "follower_count" if username == UNFOLLOWED => json!(0),
        "follower_count" => followers.into(),
        "avatar_url" => {
            let expires = (tiktok.now().unix_timestamp() / 3_600 + 48) * 3_600;
            format!(
                "https://p16-sign.tiktokcdn-us.com/made-up/{username}.jpeg?x-expires={expires}\
                 &x-signature=MADEUP%3D"
            )
            .into()
        }
        _ if is_sparse => return None,
        // Most have none.
        "bio_url" if !is_verified => return None,
        "bio_url" => format!("https://example.com/{username}").into(),
        "following_count" => following.into(),
        "likes_count" => {
            videos().filter_map(|it| it.statistics).map(|it| it.likes).sum::<u64>().into()
        }
        "video_count" => videos().count().into(),
        _ => return None,
    };
    Some(value)
}
