//! oEmbed: no credentials, no counts. It answers every kind of failure alike, so that "not found" here
//! means "not shown", and never "deleted" or "private".

use std::time::Duration;

use http::StatusCode;
use serde_json::Value;
use url::Url;

use super::{
    Fact, Facts, Provenance, Source, Thumbnail, VideoId,
    answer::page,
    failure::{Failure, refusal},
    text,
};
use crate::upstream::{self, Limits};

/// One attempt. Measured answers take about 0.6 s and 2 KB.
const LIMITS: Limits = Limits { timeout: Duration::from_millis(2_500), max_bytes: 64 * 1024 };

/// What oEmbed at address `base` says about the video; `None` if it shows no such video.
pub(super) async fn ask(
    client: &upstream::Client,
    base: &str,
    id: VideoId,
) -> Result<Option<Facts>, Failure> {
    let mut url: Url = base.parse().map_err(|_| Failure::Unusable)?;
    url.query_pairs_mut().append_pair("url", &page(id, None));
    let answer = client.get(&url, LIMITS).await?;
    match answer.status {
        StatusCode::OK => parse(&answer.body, id).map(Some),
        // From a page in between it would not be JSON.
        StatusCode::BAD_REQUEST if serde_json::from_slice::<Value>(&answer.body).is_ok() => {
            Ok(None)
        }
        status => Err(refusal(status, &answer.headers)),
    }
}

pub(super) fn parse(body: &[u8], id: VideoId) -> Result<Facts, Failure> {
    let answer: Value = serde_json::from_slice(body).map_err(|_| Failure::Unusable)?;
    // A profile, or another video. The id is missing in older recorded answers.
    let other = |product: &Value| product.as_str() != Some(id.to_string().as_str());
    if answer["type"] != "video" || answer.get("embed_product_id").is_some_and(other) {
        return Err(Failure::Unusable);
    }
    let field = |name: &str| answer[name].as_str();
    let caption = field("title").and_then(|it| text::lines(it, text::MAX_CAPTION));
    let sound = field("html").and_then(sound);
    let of_page = |page: &str| {
        let (_, name) = page.split_once("/@")?;
        text::handle(name.split(['/', '?', '#']).next()?)
    };
    // All three are the same, as long as the creator has not taken another name just now.
    let named = field("author_unique_id").and_then(text::handle);
    let of_profile = field("author_url").and_then(of_page);
    let of_embed = field("html").and_then(cite).and_then(of_page);
    let username = named.clone().or_else(|| of_profile.clone());
    Ok(Facts {
        handles: [named, of_profile, of_embed].into_iter().flatten().collect(),
        username: username.and_then(observed),
        display_name: field("author_name")
            .and_then(|it| text::line(it, text::MAX_NAME))
            .and_then(observed),
        hashtags: caption.as_deref().map(text::hashtags).and_then(derived),
        mentions: caption.as_deref().map(text::mentions).and_then(derived),
        caption: caption.and_then(observed),
        sound_id: sound.as_ref().and_then(|it| derived(it.0)),
        sound_title: sound.and_then(|it| it.1).and_then(derived),
        thumbnail: thumbnail(&answer).and_then(observed),
        ..Facts::default()
    })
}

fn observed<T>(value: T) -> Option<Fact<T>> {
    Some(Fact { provenance: Provenance::Observed, source: Source::Oembed, value })
}

fn derived<T>(value: T) -> Option<Fact<T>> {
    Some(Fact { provenance: Provenance::Derived, source: Source::Oembed, value })
}

fn thumbnail(answer: &Value) -> Option<Thumbnail> {
    let url = text::tiktok_url(answer["thumbnail_url"].as_str()?)?;
    let pixels = |name: &str| answer[name].as_u64().and_then(|it| u32::try_from(it).ok());
    let expires_at =
        url.query_pairs().find(|it| it.0 == "x-expires").and_then(|it| it.1.parse().ok());
    Some(Thumbnail {
        width: pixels("thumbnail_width"),
        height: pixels("thumbnail_height"),
        url: url.into(),
        expires_at,
    })
}

/// The page that is embedded: the first attribute `cite`, before which nothing of the caption stands.
fn cite(html: &str) -> Option<&str> {
    html.split_once("cite=\"")?.1.split('"').next()
}

/// Id and title of the sound, out of the link to it. Text inside the caption cannot pose as that link:
/// it stands before it, and has its quotation marks escaped.
fn sound(html: &str) -> Option<(u64, Option<String>)> {
    const LINK: &str = "href=\"https://www.tiktok.com/music/";
    let (before, link) = html.rsplit_once(LINK)?;
    let slug = link.split(['"', '?', '#']).next()?;
    let id = slug.rsplit('-').next()?.parse().ok().filter(|id| *id > 0)?;
    let tag = &before[before.rfind('<')?..];
    let title = tag.split_once("title=\"").and_then(|(_, rest)| rest.split('"').next());
    let title = title.map(|it| html_escape::decode_html_entities(it));
    Some((id, title.and_then(|it| text::line(it.trim_start_matches(['♬', ' ']), text::MAX_NAME))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::video::record::tests::any_json;

    fn id() -> VideoId {
        "7301234567890123456".parse().unwrap()
    }

    fn answer() -> Value {
        json!({
            "version": "1.0",
            "type": "video",
            "title": "Making soup with @made.friend\u{0}\n#soup #スープ ",
            "author_url": "https://www.tiktok.com/@made.up",
            "author_name": "Made Up & Sons",
            "width": "100%",
            "height": "100%",
            "html": "<blockquote cite=\"https://www.tiktok.com/@made.up/video/7301234567890123456\"> <section> \
                <p>see href=&quot;https://www.tiktok.com/music/trap-1&quot; https://www.tiktok.com/music/trap-2</p> \
                <a target=\"_blank\" title=\"♬ Tom &amp; Ann&#39;s tune - Made Up\" \
                href=\"https://www.tiktok.com/music/Tom-Ann-s-tune-7299999999999999999?refer=embed\">♬ Tom</a> \
                </section> </blockquote>",
            "thumbnail_width": 576,
            "thumbnail_height": 1024,
            "thumbnail_url": "https://p16-sign.tiktokcdn-us.com/made-up.image?dr=1&x-expires=1764072000&x-signature=x%3D",
            "provider_url": "https://www.tiktok.com",
            "provider_name": "TikTok",
            "author_unique_id": "made.up",
            "embed_product_id": "7301234567890123456",
            "embed_type": "video",
        })
    }

    fn read(answer: &Value) -> Result<Facts, Failure> {
        parse(answer.to_string().as_bytes(), id())
    }

    #[test]
    fn a_whole_answer() {
        let facts = read(&answer()).unwrap();
        assert_eq!(facts.username, observed("made.up".to_owned()));
        assert_eq!(facts.display_name, observed("Made Up & Sons".to_owned()));
        assert_eq!(
            facts.caption,
            observed("Making soup with @made.friend\n#soup #スープ".to_owned())
        );
        assert_eq!(facts.hashtags, derived(vec!["soup".to_owned(), "スープ".to_owned()]));
        assert_eq!(facts.mentions, derived(vec!["made.friend".to_owned()]));
        assert_eq!(facts.sound_id, derived(7_299_999_999_999_999_999));
        assert_eq!(facts.sound_title, derived("Tom & Ann's tune - Made Up".to_owned()));
        let thumbnail = facts.thumbnail.unwrap().value;
        assert_eq!(thumbnail.expires_at, Some(1_764_072_000));
        assert_eq!((thumbnail.width, thumbnail.height), (Some(576), Some(1024)));
        assert_eq!((facts.views, facts.created_at, facts.country), (None, None, None));
    }

    #[test]
    fn older_answers_lack_three_fields() {
        let mut answer = answer();
        for field in ["author_unique_id", "embed_product_id", "embed_type"] {
            answer.as_object_mut().unwrap().remove(field);
        }
        assert_eq!(read(&answer).unwrap().username, observed("made.up".to_owned()));
    }

    #[test]
    fn another_thing_than_was_asked_for_is_not_used() {
        for (field, value) in [("type", "rich"), ("embed_product_id", "7301234567890123457")] {
            let mut answer = answer();
            answer[field] = value.into();
            assert_eq!(read(&answer), Err(Failure::Unusable), "{field}");
        }
        assert_eq!(parse(b"<html>", id()), Err(Failure::Unusable));
    }

    #[test]
    fn pictures_from_elsewhere_are_left_out() {
        let mut answer = answer();
        answer["thumbnail_url"] = "https://example.com/x.image".into();
        assert_eq!(read(&answer).unwrap().thumbnail, None);
    }

    proptest! {
        #[test]
        fn any_json_is_survived(
            mut answer in any_json(),
            fields in prop::collection::vec((0..16usize, any_json()), 0..6),
        ) {
            let _ = read(&answer);
            answer = self::answer();
            let names: Vec<String> = answer.as_object().unwrap().keys().cloned().collect();
            for (field, value) in fields {
                answer[names[field].as_str()] = value;
            }
            let _ = read(&answer);
        }

        #[test]
        fn any_bytes_are_survived(body in prop::collection::vec(any::<u8>(), 0..200), html in "(\\PC|[<>\"-]|href=\"https://www.tiktok.com/music/|title=\"){0,20}") {
            let _ = parse(&body, id());
            sound(&html);
        }
    }
}
