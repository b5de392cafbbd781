//! What is known of creators.

use std::collections::BTreeSet;

use super::*;

const FIELDS: &str = "display_name,bio_description,avatar_url,bio_url,is_verified,follower_count,\
                      following_count,likes_count,video_count";

async fn user(tiktok: &TikTok, bearer: &str, username: &str) -> (u16, Value) {
    ask(tiktok, "user/info", FIELDS, bearer, &json!({"username": username})).await
}

#[tokio::test]
async fn every_creator_but_one_is_described() {
    let (tiktok, again) = (tiktok(), tiktok());
    let (bearer, other) = (bearer(&tiktok).await, bearer(&again).await);
    let names: BTreeSet<&str> = tiktok.catalogue().iter().map(|it| it.username).collect();
    assert_eq!(names.len(), 20);
    let mut users = Vec::new();
    for name in names {
        let (status, answer) = user(&tiktok, &bearer, name).await;
        if name == "ebb_and_tide" {
            let message = "API cannot return this user's information".to_owned();
            assert_eq!(refusal((status, answer)), (400, "invalid_params".to_owned(), message));
            continue;
        }
        assert_eq!((status, &answer["error"]["code"]), (200, &json!("ok")));
        let data = answer["data"].clone();
        assert_eq!(user(&again, &other, &name.to_uppercase()).await.1["data"], data);
        let is_sparse = name == "grid.runner";
        let videos = || tiktok.catalogue().iter().filter(|it| it.username == name);
        let display_name = videos().next().unwrap().display_name;
        assert_eq!(data["display_name"], display_name);
        if is_sparse {
            let sparse = ["avatar_url", "display_name", "follower_count", "is_verified"];
            assert_eq!(keys(&data), sparse);
        } else {
            assert_eq!(data["video_count"], videos().count());
            // The documents' sample has these, and no `bio_url`.
            let sample = [
                "avatar_url",
                "bio_description",
                "display_name",
                "follower_count",
                "following_count",
                "is_verified",
                "likes_count",
                "video_count",
            ];
            let present = keys(&data).into_iter().filter(|it| *it != "bio_url");
            assert_eq!(present.collect::<Vec<_>>(), sample);
        }
        assert_eq!(data["follower_count"] == 0, name == "tiny.trains", "{name}");
        users.push(data);
    }
    let some = |what: fn(&Value) -> bool| {
        let count = users.iter().filter(|it| what(it)).count();
        assert!(0 < count && count < users.len());
    };
    some(|it| it["is_verified"] == true);
    some(|it| it.get("bio_url").is_some());
    some(|it| it["bio_description"] == "");
    assert_eq!(tiktok.counts().users, 20);
}

#[tokio::test]
async fn a_bio_can_be_changed() {
    let tiktok = tiktok();
    let bearer = bearer(&tiktok).await;
    for name in ["alba.bakes", "grid.runner"] {
        let before = user(&tiktok, &bearer, name).await.1["data"].clone();
        tiktok.set_bio(&name.to_uppercase(), "proof: made-up-code");
        let after = user(&tiktok, &bearer, name).await.1["data"].clone();
        assert_eq!(after["bio_description"], "proof: made-up-code");
        assert_ne!(before["bio_description"], after["bio_description"]);
        assert_eq!(before["follower_count"], after["follower_count"]);
    }
    let other = user(&tiktok, &bearer, "drum.daily").await.1;
    assert!(other["data"]["bio_description"].as_str().unwrap().contains("drum.daily"));
    tiktok.set_bio("nobody.at.all", "here");
    assert_eq!(user(&tiktok, &bearer, "nobody.at.all").await.0, 400);
}

#[tokio::test]
async fn requests_for_users_are_checked() {
    let tiktok = tiktok();
    let bearer = bearer(&tiktok).await;
    for name in ["nobody.at.all", "@alba.bakes", "alba.bakes ", ""] {
        let (status, code, message) = refusal(user(&tiktok, &bearer, name).await);
        assert_eq!((status, code.as_str()), (400, "invalid_params"), "{name}");
        assert!(message.ends_with("is invalid: cannot find the user"), "{message}");
    }
    for body in [json!({}), json!({"username": 1}), json!({"username": "alba.bakes", "cursor": 0})]
    {
        let answer = ask(&tiktok, "user/info", "bio_url", &bearer, &body).await;
        assert_eq!(refusal(answer).1, "invalid_params", "{body}");
    }
    let body = json!({"username": "alba.bakes"});
    for fields in ["", "username", "display_name,region_code"] {
        let answer = ask(&tiktok, "user/info", fields, &bearer, &body).await;
        assert_eq!(refusal(answer).1, "invalid_params", "{fields}");
    }
    let answer = ask(&tiktok, "user/info", "bio_url", "clt.wrong", &body).await;
    assert_eq!(refusal(answer).1, "access_token_invalid");
    let one = ask(&tiktok, "user/info", "follower_count", &bearer, &body).await.1;
    assert_eq!(keys(&one["data"]), ["follower_count"]);
}
