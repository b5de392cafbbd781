//! Comments and replies.

use std::collections::BTreeSet;

use super::*;

const FIELDS: &str = "id,video_id,parent_comment_id,like_count,reply_count,create_time,text";

struct Reader {
    tiktok: TikTok,
    bearer: String,
}

impl Reader {
    async fn new() -> Self {
        let tiktok = tiktok();
        let bearer = bearer(&tiktok).await;
        Self { tiktok, bearer }
    }

    async fn ask(&self, body: &Value) -> (u16, Value) {
        ask(&self.tiktok, "video/comment/list", FIELDS, &self.bearer, body).await
    }

    /// Every page from the start.
    async fn pages(&self, mut body: Value) -> Vec<Vec<Value>> {
        let mut pages = Vec::new();
        loop {
            let (status, answer) = self.ask(&body).await;
            assert_eq!(status, 200, "{answer}");
            let data = &answer["data"];
            assert_eq!(keys(data), ["comments", "cursor", "has_more"]);
            pages.push(data["comments"].as_array().unwrap().clone());
            let step = body["max_count"].as_u64().unwrap_or(10);
            assert_eq!(data["cursor"], body["cursor"].as_u64().unwrap_or(0) + step);
            if data["has_more"] == false {
                return pages;
            }
            body["cursor"] = data["cursor"].clone();
        }
    }

    fn video(&self, wanted: impl Fn(&CatalogueVideo) -> bool) -> u64 {
        self.tiktok.catalogue().iter().find(|it| wanted(it)).expect("such a video").id
    }
}

fn said(video: &CatalogueVideo) -> u64 {
    video.statistics.map_or(0, |it| it.comments)
}

#[tokio::test]
async fn a_thousand_comments_can_be_reached_and_some_of_them_are_gone() {
    let reader = Reader::new().await;
    let video = &reader.tiktok.catalogue()[0];
    assert!(said(video) > 1_200);
    let body = json!({"video_id": video.id, "max_count": 100});
    let pages = reader.pages(body.clone()).await;
    assert_eq!(pages.len(), 10);
    assert!(pages.iter().all(|page| (85..100).contains(&page.len())), "removed ones are missing");
    let comments = pages.concat();
    let ids: BTreeSet<u64> = comments.iter().map(|it| it["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), comments.len());
    for comment in &comments {
        let (id, created) =
            (comment["id"].as_u64().unwrap(), comment["create_time"].as_i64().unwrap());
        let second = (id >> 32) as i64;
        assert!(
            id > 1 << 53 && second > video.create_time && (25..=92).contains(&(created - second))
        );
        assert_eq!(
            (&comment["video_id"], &comment["parent_comment_id"]),
            (&json!(video.id), &json!(video.id))
        );
        assert!(comment.as_object().unwrap().values().all(|it| !it.is_null()));
    }
    // Each trap is there, and most comments are whole.
    let count = |what: fn(&Value) -> bool| comments.iter().filter(|it| what(it)).count();
    assert!((100..125).contains(&count(|it| it.get("like_count").is_none())));
    assert!((20..40).contains(&count(|it| it.get("reply_count").is_none())));
    let text = |it: &Value| it["text"].as_str().unwrap().to_owned();
    let texts: BTreeSet<String> = comments.iter().map(text).collect();
    assert!(texts.contains("") && texts.len() == 16);
    assert!(
        texts.iter().any(|it| it.contains('\0'))
            && texts.iter().any(|it| it.contains("40******30"))
    );
    // The documents' sample has these.
    let sample =
        ["create_time", "id", "like_count", "parent_comment_id", "reply_count", "text", "video_id"];
    assert!(comments.iter().any(|it| keys(it) == sample));
    // A string of digits does as well, and the same is answered each time.
    let text = json!({"video_id": video.id.to_string(), "max_count": 100});
    assert_eq!(reader.pages(text).await.concat(), comments);
    let mut body = body;
    // Nobody may ask for more than the first thousand.
    for cursor in [901, 950, 1_000, 1_001] {
        body["cursor"] = json!(cursor);
        assert_eq!(refusal(reader.ask(&body).await).2, "Invalid count or cursor", "{cursor}");
    }
    (body["cursor"], body["max_count"]) = (json!(950), json!(50));
    let (status, answer) = reader.ask(&body).await;
    assert_eq!((status, &answer["data"]["has_more"]), (200, &json!(false)));
}

#[tokio::test]
async fn a_page_but_the_first_may_be_refused_at_first_although_it_is_right() {
    let reader = Reader::new().await;
    let video = reader.tiktok.catalogue()[0].id;
    reader.tiktok.fault(Endpoint::Comments, Fault::InvalidCursor(2));
    let mut body = json!({"video_id": video, "max_count": 100});
    assert_eq!(reader.ask(&body).await.0, 200);
    for cursor in [100, 200] {
        body["cursor"] = json!(cursor);
        for _ in 0..2 {
            assert_eq!(refusal(reader.ask(&body).await).2, "Invalid count or cursor");
        }
        assert_eq!(reader.ask(&body).await.0, 200);
    }
}

#[tokio::test]
async fn short_pages_lose_no_comment() {
    let reader = Reader::new().await;
    let few = reader.video(|it| it.in_research && (20..90).contains(&said(it)));
    let body = json!({"video_id": few, "max_count": 100});
    let whole = reader.pages(body.clone()).await;
    reader.tiktok.fault(Endpoint::Comments, Fault::ShortPages);
    let short = reader.pages(body).await;
    let lens: Vec<usize> = short.iter().map(Vec::len).collect();
    assert!(matches!(lens[..], [first, 0, last] if first > 0 && last > 0), "{lens:?}");
    assert_eq!((whole.len(), short.concat()), (1, whole.concat()));
}

#[tokio::test]
async fn replies_are_listed_by_their_comment() {
    let reader = Reader::new().await;
    let video = &reader.tiktok.catalogue()[0];
    let top = reader.ask(&json!({"video_id": video.id})).await.1["data"]["comments"].clone();
    let top = top.as_array().unwrap();
    let many = top.iter().find(|it| it["reply_count"].as_u64() > Some(100)).unwrap();
    let body = json!({"comment_id": many["id"], "max_count": 50});
    let pages = reader.pages(body).await;
    assert_eq!(pages.len(), 3);
    let replies = pages.concat();
    assert!((100..130).contains(&replies.len()), "some were removed");
    let ids: BTreeSet<u64> = replies.iter().map(|it| it["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), replies.len());
    for reply in &replies {
        assert_eq!(
            (&reply["parent_comment_id"], &reply["video_id"]),
            (&many["id"], &json!(video.id))
        );
        assert!(reply["create_time"].as_i64() > many["create_time"].as_i64());
        // Not asked for, and there.
        assert!(reply["display_name"].is_string());
        // The documents' sample has no others but what was asked for besides.
        let sample =
            ["create_time", "display_name", "id", "parent_comment_id", "reply_count", "text"];
        assert!(sample.iter().all(|key| reply.get(key).is_some()));
    }
    assert!(top.iter().all(|it| it.get("display_name").is_none()));
    let silent = top.iter().find(|it| it["reply_count"] == 0).unwrap();
    for without in [&silent["id"], &replies[0]["id"], &json!(video.id), &json!(1)] {
        let (status, answer) = reader.ask(&json!({"comment_id": without})).await;
        assert_eq!((status, &answer["data"]["comments"]), (200, &json!([])));
        assert_eq!(answer["data"]["has_more"], false);
    }
}

#[tokio::test]
async fn what_is_not_known_has_no_comments() {
    let reader = Reader::new().await;
    for video in [
        7_300_000_000_000_000_000,
        reader.video(|it| !it.in_research && said(it) > 0),
        reader.video(|it| it.in_research && it.statistics.is_none()),
        reader.video(|it| it.in_research && it.statistics.is_some() && said(it) == 0),
    ] {
        assert_eq!(reader.pages(json!({"video_id": video})).await, vec![Vec::<Value>::new()]);
    }
    // They appear with time, and not before the video does.
    let video = reader.tiktok.catalogue()[0].clone();
    let mut before = 0;
    for (days, least) in [(1, 0), (3, 1), (30, 900)] {
        let at = OffsetDateTime::from_unix_timestamp(video.create_time).unwrap();
        reader.tiktok.0.clock.set(at + time::Duration::days(days));
        let reader = Reader { tiktok: reader.tiktok.clone(), bearer: bearer(&reader.tiktok).await };
        let body = json!({"video_id": video.id, "max_count": 100});
        let count = reader.pages(body).await.concat().len();
        assert!(
            count >= least && (days == 1) == (count == 0) && count >= before,
            "{days}: {count}"
        );
        before = count;
    }
}

#[tokio::test]
async fn requests_for_comments_are_checked() {
    let reader = Reader::new().await;
    let video = reader.tiktok.catalogue()[0].id;
    for body in [
        json!({}),
        json!({"video_id": video, "comment_id": video}),
        json!({"video_id": "12a"}),
        json!({"video_id": "+12"}),
        json!({"video_id": ""}),
        json!({"video_id": -1}),
        json!({"video_id": 1.5}),
        json!({"video_id": video, "max_count": 0}),
        json!({"video_id": video, "max_count": 101}),
        json!({"video_id": video, "cursor": -1}),
        json!({"video_id": video, "cursor": null}),
        json!({"video_id": video, "search_id": "1"}),
        json!([]),
    ] {
        let (status, code, _) = refusal(reader.ask(&body).await);
        assert_eq!((status, code.as_str()), (400, "invalid_params"), "{body}");
    }
    let body = json!({"video_id": video});
    for fields in ["", "id,display_name", "username"] {
        let answer = ask(&reader.tiktok, "video/comment/list", fields, &reader.bearer, &body).await;
        assert_eq!(refusal(answer).1, "invalid_params", "{fields}");
    }
    let answer = ask(&reader.tiktok, "video/comment/list", "id", "clt.wrong", &body).await;
    assert_eq!(refusal(answer).1, "access_token_invalid");
    let ten = reader.ask(&body).await.1["data"]["cursor"].clone();
    assert_eq!(ten, 10);
}
