//! The payloads that TikTok's documents print and clients have recorded, with made-up people in them: they
//! lie with the seeds of tests/fuzz.

use serde_json::json;
use time::{OffsetDateTime, macros::datetime};

use super::{Facts, Outcome, Source, Standing, Video, VideoId, VideoRecord, View, fuzz};

const NOW: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);

macro_rules! sample {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/fuzz/seeds/upstream/", $name))
    };
}

fn id() -> VideoId {
    "7301234567890123456".parse().unwrap()
}

fn value<T: Clone>(fact: &Option<super::Fact<T>>) -> Option<T> {
    fact.as_ref().map(|it| it.value.clone())
}

#[test]
fn oembed_as_it_is_recorded() {
    for (sample, has_all) in [
        (&sample!("oembed.json")[..], true),
        // As it was recorded in 2021: three fields fewer.
        (&sample!("oembed-older.json")[..], false),
    ] {
        let facts = fuzz::oembed(id(), sample).unwrap();
        assert_eq!(value(&facts.username).as_deref(), Some("made.up"), "{has_all}");
        assert_eq!(value(&facts.hashtags), Some(vec!["07".to_owned()]));
        assert_eq!(value(&facts.sound_id), Some(7_537_866_287_918_795_537));
        assert_eq!(value(&facts.sound_title).as_deref(), Some("original sound - example"));
        assert_eq!((facts.views, facts.created_at, facts.country), (None, None, None));
    }
    for other in [&sample!("oembed-profile.json")[..], &sample!("oembed-refused.json")[..]] {
        assert_eq!(fuzz::oembed(id(), other), None);
    }
}

#[test]
fn videos_as_they_are_documented() {
    let data = fuzz::research(200, sample!("research-videos.json"), NOW).unwrap();
    let videos = fuzz::videos(&data).unwrap();
    let video = |at: usize| -> &Facts { &videos[at].1 };
    // The first one has `id` and `video_id`, and the schema's own name counts.
    assert_eq!(videos[0].0, id());
    assert_eq!(value(&video(0).country).as_deref(), Some("CA"));
    assert_eq!((value(&video(0).views), value(&video(0).shares)), (Some(1_050), Some(0)));
    assert_eq!(value(&video(0).hashtags), Some(vec!["avengers".to_owned(), "pov".to_owned()]));
    // What was left out is not zero.
    assert_eq!((video(1).likes.is_none(), video(1).shares.is_none()), (true, true));
    let record = VideoRecord::empty(id()).with(
        Source::Research,
        Outcome::Answered(NOW.unix_timestamp()),
        video(0).clone(),
    );
    let standing = Standing::not_requested();
    let view = View { include_country: true, cached: false, now: NOW, standing };
    let answer = serde_json::to_value(Video::from_record(&record, &view)).unwrap();
    assert_eq!(answer["sound"]["id"]["value"], "7299999999999999999");
    let rate = &answer["engagement"]["engagement_rate_by_views"];
    assert_eq!(rate["value"], json!((80.0 + 2.0 + 0.0) / 1_050.0));
}

#[test]
fn comments_replies_and_profiles_as_they_are_documented() {
    let data = fuzz::research(200, sample!("research-comments.json"), NOW).unwrap();
    let page = fuzz::comments(&data, id(), 0, 7).unwrap();
    assert_eq!((page.next, page.comments.len()), (Some(300), 1));
    let comment = &page.comments[0];
    assert_eq!((comment.parent, comment.likes, comment.replies), (None, Some(50), Some(10)));
    assert_eq!(comment.text.as_deref(), Some("AWEEEEEE 🥰🥰🥰"));
    let data = fuzz::research(200, sample!("research-replies.json"), NOW).unwrap();
    let page = fuzz::comments(&data, id(), 0, 7).unwrap();
    assert_eq!((page.next, page.comments[0].parent), (None, Some(1_234_567_876_543)));
    let data = fuzz::research(200, sample!("research-profile.json"), NOW).unwrap();
    let profile = fuzz::profile(&data);
    assert_eq!((profile.followers, profile.verified), (Some(232), Some(false)));
    assert_eq!(profile.bio.as_deref(), Some("my_bio"));
}

#[test]
fn errors_as_they_are_documented_and_observed() {
    // Without their envelope, and with it.
    assert_eq!(fuzz::research(401, sample!("research-bare-error.json"), NOW), None);
    assert_eq!(fuzz::research(400, sample!("research-refused.json"), NOW), None);
}
