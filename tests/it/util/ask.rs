//! Asking for videos in the ways besides their ids.

use local::http::Response;
use serde_json::{Value, json};

use super::{Customer, World};

pub(crate) const BATCH: &str = "/v1/videos/batch";

/// Any text as the value of a query parameter.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

impl World {
    /// Asks for the video at `url`.
    pub(crate) async fn find(&self, url: &str, customer: &Customer) -> Response {
        self.get(&format!("/v1/videos?url={}", encoded(url)), customer).await
    }

    /// Asks for many videos at once.
    pub(crate) async fn batch(&self, items: &[String], customer: &Customer) -> Response {
        let client = self.cloud.client();
        let body = json!({ "videos": items });
        self.send(client.post(BATCH, &body).key(&customer.key)).await
    }

    /// The ids of the videos at `places` of the catalogue, as texts.
    pub(crate) fn ids(&self, places: impl IntoIterator<Item = usize>) -> Vec<String> {
        places.into_iter().map(|n| self.video_id(n).to_string()).collect()
    }

    /// What the account has used of its month, once the log is rolled up: by the quota, and by the day.
    pub(crate) async fn rolled_up(&self, customer: &Customer) -> (u64, u64) {
        self.run_job("RollUpUsageFunction").await;
        let usage = self.get("/v1/usage", customer).await.json();
        let of_days = usage["days"].as_array().expect("days").iter();
        let charged = of_days.filter_map(|day| day["charged"].as_u64()).sum();
        (usage["used"].as_u64().expect("a number"), charged)
    }
}

/// The statuses of a batch's items, checked to be in order, each with a video or a reason.
pub(crate) fn statuses(answer: &Response) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body = answer.json();
    let items = body["items"].as_array().expect("items");
    let status = |(at, item): (usize, &Value)| {
        assert_eq!(item["index"], at);
        let is_found = item["status"] == "found";
        assert_eq!(item["video"].is_object(), is_found, "{item}");
        assert_eq!(item["detail"].is_string(), !is_found, "{item}");
        item["status"].as_str().expect("a status").to_owned()
    };
    items.iter().enumerate().map(status).collect()
}
