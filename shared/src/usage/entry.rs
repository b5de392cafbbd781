use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, KeyId};

/// One API request as it is logged (privacy policy §1.2: API usage data and technical data).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// API Gateway's id of the request; makes the entry unique.
    pub request_id: String,
    /// When it arrived: epoch milliseconds.
    pub at_ms: i64,
    /// The account.
    pub account: AccountId,
    /// The key that was used.
    pub key_id: KeyId,
    /// Route, as the API documents it.
    pub endpoint: String,
    /// Parameters, in the order in which they were read.
    pub parameters: Vec<(String, String)>,
    /// HTTP status.
    pub status: u16,
    /// From arrival at the function to its answer, in milliseconds.
    pub latency_ms: u32,
    /// Whether the answer came from the cache.
    pub cached: bool,
    /// Requests that it cost: those of a batch that were served, else 1 or 0.
    pub charged: u64,
    /// First day of the quota period that paid.
    pub period: String,
    /// The lease that paid, and which of its requests this was; absent if paid directly or free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<(String, u64)>,
    /// Network address.
    pub ip: String,
    /// Country of the network address, where the network in front of us tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// What the client says it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Agent>,
    /// Where it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referrer: Option<String>,
}

/// A user agent, as sent and as understood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// As sent, at most 512 characters.
    pub text: String,
    /// Browser, for example `Chrome`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub browser: Option<String>,
    /// Version of the browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Operating system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Kind of device: `pc`, `smartphone`, `crawler`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}

impl Agent {
    /// Reads the `User-Agent` field.
    pub fn parse(text: &str) -> Self {
        let text: String = text.chars().take(512).collect();
        let known =
            |value: &str| (value != "UNKNOWN" && !value.is_empty()).then(|| value.to_owned());
        let result = woothee::parser::Parser::new().parse(&text);
        let result = result.as_ref();
        Self {
            browser: result.and_then(|it| known(it.name)),
            version: result.and_then(|it| known(it.version)),
            system: result.and_then(|it| known(it.os)),
            device: result.and_then(|it| known(it.category)),
            text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_understood_where_they_can_be() {
        let agent = Agent::parse(
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
             Chrome/120.0.0.0 Safari/537.36",
        );
        assert_eq!(agent.browser.as_deref(), Some("Chrome"));
        assert_eq!(agent.device.as_deref(), Some("pc"));
        let agent = Agent::parse("made-up/1.0");
        assert_eq!((agent.text.as_str(), agent.browser), ("made-up/1.0", None));
    }
}
