//! The sandbox: keys of the environment `test` are answered from its tables, at no cost, and apart from
//! everything real.

use local::{http::Response, standins::tiktok::Counts};
use serde_json::{Value, json};
use vidintel::sandbox::{CREATORS, Fault, Shape, VIDEOS, WORDS, Word};

use crate::util::{Customer, World, assert_problem, catalogue::ids_in, objections::with_research};

/// The days of which searches here ask: the catalogue's last ones.
pub(crate) const DAYS: (&str, &str) = ("2025-05-20", "2025-06-10");

/// A customer on a plan that allows more than the cases are, with a live key and with one for the sandbox.
async fn tester(world: &World) -> (Customer, Customer) {
    let live = world.paying("ada@example.com").await;
    let test = world.test_key(&live).await;
    (live, test)
}

/// Checks that the answer is the problem that `fault` is, with what goes with it.
fn assert_fault(answer: &Response, fault: Fault, case: &str) {
    let (status, kind, retry_after) = match fault {
        Fault::NotFound => (404, "video-not-found", None),
        Fault::NoCreator => (404, "creator-not-found", None),
        Fault::Objected => (451, "creator-objected", None),
        Fault::Busy => (503, "source-busy", Some("60")),
        Fault::Failed | Fault::Refused => (502, "source-failed", None),
        Fault::Timeout => (504, "source-timeout", None),
        // It is noon.
        Fault::Exhausted => (503, "source-allowance-used", Some("43200")),
        Fault::NeedsResearch => (409, "source-not-enabled", None),
        Fault::Quota | Fault::Minute => (429, "quota-exceeded", answer.header("retry-after")),
    };
    assert_eq!(answer.status, status, "{case}: {}", answer.text());
    assert_problem(answer, status, kind);
    assert_eq!(answer.header("retry-after"), retry_after, "{case}");
    let violated = &answer.json()["violated-policies"];
    match fault {
        Fault::Quota => assert_eq!(*violated, json!(["month"])),
        Fault::Minute => assert_eq!(*violated, json!(["minute"])),
        _ => assert!(violated.is_null(), "{case}: {violated}"),
    }
    if status == 429 {
        let wait: u64 = retry_after.expect("a time").parse().expect("seconds");
        assert!(wait > 0, "{case}");
    }
}

/// Checks what is special about a video's answer.
fn assert_shape(video: &Value, shape: Shape) {
    let reason = |pointer: &str| video.pointer(&format!("{pointer}/reason")).cloned();
    let value = |pointer: &str| video.pointer(&format!("{pointer}/value")).cloned();
    let because = |reason: &str| Some(json!(reason));
    let views = "/statistics/views";
    let caption = || value("/caption").unwrap_or_default().as_str().unwrap_or_default().to_owned();
    let labels = || value("/labels").unwrap_or_default().to_string();
    match shape {
        Shape::Complete => {
            for figure in ["/caption", "/country", "/labels", "/thumbnail", views, "/sound/title"] {
                assert_eq!(reason(figure), Some(Value::Null), "{figure}");
            }
        }
        Shape::OembedOnly => {
            assert_eq!(reason(views), because("not_in_source"));
            assert_eq!(reason("/country"), because("not_in_source"));
        }
        Shape::ResearchOnly => {
            assert_eq!(reason("/thumbnail"), because("not_in_source"));
            assert_eq!(reason("/author/display_name"), because("not_in_source"));
        }
        Shape::NoViews => {
            assert_eq!(value(views), Some(json!(0)));
            let rate = "/engagement/engagement_rate_by_views";
            assert_eq!(reason(rate), because("zero_denominator"));
        }
        Shape::NoCountry => assert_eq!(reason("/country"), because("absent_in_answer")),
        Shape::MadeWithAi => assert!(labels().contains("AIGC")),
        Shape::Branded => assert!(labels().contains("Branded") && labels().contains("AIGC")),
        Shape::NoCaption => {
            for figure in ["/caption", "/hashtags", "/mentions"] {
                assert_eq!(value(figure), Some(Value::Null), "{figure}");
            }
        }
        Shape::Scripts => assert!(caption().contains("パン") && caption().contains("خبز")),
        Shape::NoCounts => {
            assert_eq!(reason(views), because("absent_in_answer"));
            assert_eq!(reason("/engagement/share_rate"), because("missing_input"));
        }
        Shape::NoLikes => {
            assert_eq!(reason("/statistics/likes"), because("absent_in_answer"));
            assert!(value(views).is_some_and(|it| it.is_u64()));
        }
        Shape::NoSound => assert_eq!(value("/sound/id"), Some(Value::Null)),
        Shape::Mentions => {
            assert_eq!(value("/mentions"), Some(json!(["sandbox.gardener", "sandbox_drummer"])));
        }
        Shape::LongCaption => assert_eq!(caption().chars().count(), 4_000),
        Shape::Popular => assert_eq!(value(views), Some(json!(9_007_199_254_740_993_u64))),
        Shape::ManyComments => assert_eq!(value("/statistics/comments"), Some(json!(250))),
        Shape::NoComments => assert_eq!(value("/statistics/comments"), Some(json!(0))),
        Shape::BareThumbnail => {
            let thumbnail = value("/thumbnail").expect("one");
            assert!(thumbnail["url"].is_string() && thumbnail["expires_at"].is_null());
        }
        Shape::Ordinary => assert_eq!(reason(views), Some(Value::Null)),
        Shape::ResearchFailed => assert_eq!(reason(views), because("source_failed")),
        Shape::ResearchLeftAlone => assert_eq!(reason(views), because("source_busy")),
        Shape::ResearchDisabled => assert_eq!(reason(views), because("source_disabled")),
    }
}

/// Checks that nothing was charged, and that no source was asked.
async fn assert_free(world: &World, customer: &Customer) {
    assert_eq!(world.used(customer).await, 0);
    assert_eq!(world.cloud.tiktok.counts(), Counts::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_video_answers_as_the_table_says() {
    let world = with_research().await;
    let (live, test) = tester(&world).await;
    for case in VIDEOS {
        let by_address = format!("/v1/videos?url=https://www.tiktok.com/@any/video/{}", case.key);
        for path in [format!("/v1/videos/{}", case.key), by_address] {
            let answer = world.get(&path, &test).await;
            match case.answer {
                Err(fault) => assert_fault(&answer, fault, case.about),
                Ok(shape) => {
                    assert_eq!(answer.status, 200, "{}: {}", case.about, answer.text());
                    let video = answer.json();
                    assert_eq!((&video["id"], &video["cached"]), (&json!(case.key), &json!(false)));
                    assert_shape(&video, shape);
                }
            }
        }
    }
    assert_free(&world, &live).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_videos_comments_answer_as_the_table_says() {
    let world = with_research().await;
    let (live, test) = tester(&world).await;
    for case in VIDEOS {
        let path = format!("/v1/videos/{}/comments?limit=100", case.key);
        let fault = match case.answer {
            Err(fault) => Some(fault),
            Ok(Shape::OembedOnly) => Some(Fault::NotFound),
            Ok(Shape::ResearchFailed) => Some(Fault::Failed),
            Ok(Shape::ResearchLeftAlone) => Some(Fault::Busy),
            Ok(Shape::ResearchDisabled) => Some(Fault::NeedsResearch),
            Ok(_) => None,
        };
        let answer = world.get(&path, &test).await;
        let Some(shape) = case.answer.ok().filter(|_| fault.is_none()) else {
            assert_fault(&answer, fault.expect("one"), case.about);
            continue;
        };
        assert_eq!(answer.status, 200, "{}: {}", case.about, answer.text());
        let mut all = answer.json()["comments"].as_array().expect("comments").clone();
        let mut next = answer.json()["next_cursor"].clone();
        while let Some(cursor) = next.as_str() {
            let page = world.get(&format!("{path}&cursor={cursor}"), &test).await.json();
            all.extend(page["comments"].as_array().expect("comments").iter().cloned());
            next = page["next_cursor"].clone();
        }
        let number: usize = case.key[17..].parse().expect("the last two digits");
        let count = match shape {
            Shape::ManyComments => 250,
            Shape::NoComments | Shape::NoViews => 0,
            _ => number,
        };
        assert_eq!(all.len(), count, "{}", case.about);
        for (n, comment) in (1..).zip(&all) {
            // Every fifth one answers the one before.
            let parent = if n % 5 == 0 { all[n - 2]["id"].clone() } else { Value::Null };
            assert_eq!(comment["parent_id"], parent, "{} of {}", n, case.key);
            assert_eq!(comment["text"].is_null(), n % 10 == 7, "{} of {}", n, case.key);
            assert_eq!(comment["likes"].is_null(), n % 10 == 8, "{} of {}", n, case.key);
        }
        assert!(all.len() < 3 || all[1]["text"] == "call 40******30", "{}", all[1]);
    }
    assert_free(&world, &live).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_creator_answers_as_the_table_says() {
    let world = with_research().await;
    let (live, test) = tester(&world).await;
    for case in CREATORS {
        for name in [case.key.to_owned(), format!("@{}", case.key.to_uppercase())] {
            let answer = world.get(&format!("/v1/creators/{name}"), &test).await;
            let creator = match case.answer {
                Err(fault) => {
                    assert_fault(&answer, fault, case.about);
                    continue;
                }
                Ok(creator) => creator,
            };
            assert_eq!(answer.status, 200, "{}: {}", case.about, answer.text());
            let found = answer.json();
            assert_eq!(found["username"], case.key);
            assert_eq!(found["display_name"]["value"], creator.display_name);
            assert_eq!(found["videos"]["value"], 10);
            let is_told = case.key != "sandbox_drummer";
            for figure in ["followers", "following", "likes", "is_verified"] {
                assert_eq!(found[figure]["reason"].is_null(), is_told, "{figure} of {name}");
            }
            let recent = &found["recent"];
            assert_eq!(recent["sample"]["creators"], 1, "{recent}");
            assert!(recent["median_views"]["value"].is_u64(), "{recent}");
            assert!(recent["posting_times"]["reason"].is_null(), "{recent}");
        }
        let path = format!("/v1/creators/{}/videos", case.key);
        let answer = world.get(&path, &test).await;
        match case.answer {
            // Nobody has made nothing.
            Err(Fault::NoCreator) => assert_eq!(answer.json()["videos"], json!([])),
            Err(fault) => assert_fault(&answer, fault, case.about),
            Ok(_) => {
                assert_eq!(answer.status, 200, "{}: {}", case.about, answer.text());
                let videos = answer.json()["videos"].as_array().expect("videos").clone();
                assert!(!videos.is_empty(), "{}", case.about);
                for video in videos {
                    assert_eq!(video["author"]["username"]["value"], case.key);
                }
            }
        }
    }
    assert_free(&world, &live).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_word_does_in_a_search_what_the_table_says() {
    let world = with_research().await;
    let (live, test) = tester(&world).await;
    let search = |field: &str, word: &str| {
        let and = json!([{ "field": field, "values": [word] }]);
        json!({ "and": and, "from": DAYS.0, "to": DAYS.1, "limit": 3 })
    };
    let post = async |body: &Value| world.post("/v1/videos/search", body, &test).await;
    let every = post(&search("hashtag", "sandbox")).await.json();
    assert_eq!(every["videos"].as_array().map(Vec::len), Some(3), "{every}");
    for case in WORDS {
        for field in ["keyword", "hashtag"] {
            let mut body = search(field, case.key);
            let answer = post(&body).await;
            let word = match case.answer {
                Err(fault) => {
                    assert_fault(&answer, fault, case.about);
                    continue;
                }
                Ok(word) => word,
            };
            assert_eq!(answer.status, 200, "{}: {}", case.about, answer.text());
            let first = answer.json();
            body["cursor"] = first["next_cursor"].clone();
            assert!(body["cursor"].is_string(), "{}", case.about);
            let second = post(&body).await;
            match word {
                Word::Expires => {
                    assert_eq!(ids_in(&first["videos"]), ids_in(&every["videos"]));
                    assert_problem(&second, 410, "cursor-expired");
                }
                Word::BeginsEmpty => {
                    assert_eq!(first["videos"], json!([]));
                    assert_eq!(ids_in(&second.json()["videos"]), ids_in(&every["videos"]));
                }
                Word::Suppresses => {
                    // As many as were asked for, and nothing says that there are others.
                    let (all, shown) = (ids_in(&every["videos"]), ids_in(&first["videos"]));
                    assert_eq!(
                        (shown.len(), &shown[..2]),
                        (3, &[all[0].clone(), all[2].clone()][..])
                    );
                    assert!(first.get("suppressed").is_none(), "{first}");
                }
            }
        }
        let answer = world.get(&format!("/v1/hashtags/{}", case.key), &test).await;
        match case.answer {
            Err(fault) => assert_fault(&answer, fault, case.about),
            Ok(_) => assert_eq!(answer.status, 200, "{}: {}", case.about, answer.text()),
        }
    }
    assert_free(&world, &live).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_answers_for_each_and_is_charged_nothing() {
    let world = with_research().await;
    let (live, test) = tester(&world).await;
    let is_limit = |fault: Fault| matches!(fault, Fault::Quota | Fault::Minute);
    let cases: Vec<_> = VIDEOS.iter().filter(|it| !it.answer.is_err_and(is_limit)).collect();
    let mut videos: Vec<&str> = cases.iter().map(|it| it.key).collect();
    videos.push("https://vm.tiktok.com/ZM1/");
    let body = json!({ "videos": videos });
    let answer = world.post("/v1/videos/batch", &body, &test).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let batch = answer.json();
    assert_eq!(batch["charged"], 0);
    for (item, case) in batch["items"].as_array().expect("items").iter().zip(&cases) {
        let status = match case.answer {
            Ok(_) => "found",
            Err(Fault::NotFound) => "not_found",
            Err(Fault::Objected) => "suppressed",
            Err(_) => "failed",
        };
        assert_eq!(item["status"], status, "{}", case.about);
        match case.answer {
            Ok(shape) => assert_shape(&item["video"], shape),
            Err(_) => assert!(item["video"].is_null() && item["detail"].is_string()),
        }
    }
    assert_eq!(batch["items"][videos.len() - 1]["status"], "not_found", "no link leads anywhere");
    // A limit is passed by the whole of it.
    for case in VIDEOS {
        if let Some(fault) = case.answer.err().filter(|it| is_limit(*it)) {
            let body = json!({ "videos": [VIDEOS[0].key, case.key] });
            assert_fault(&world.post("/v1/videos/batch", &body, &test).await, fault, case.about);
        }
    }
    assert_free(&world, &live).await;
}
