//! Calls with several entries.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Sqs,
    calls::{MAX_ENTRIES, MAX_MESSAGE},
    protocol::{Refusal, parse},
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Batch {
    #[serde(default)]
    entries: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    id: String,
}

impl Sqs {
    /// Each entry by itself: one that is refused does not hinder the others.
    pub(super) fn batch(
        &self,
        body: &[u8],
        one: impl Fn(&[u8]) -> Result<Value, Refusal>,
    ) -> Result<Value, Refusal> {
        let entries = parse::<Batch>(body)?.entries;
        let wrong = |kind, code, message: &str| Err(Refusal::new(kind, code, message));
        if entries.is_empty() {
            return wrong(
                "com.amazonaws.sqs#EmptyBatchRequest",
                "AWS.SimpleQueueService.EmptyBatchRequest",
                "There should be at least one entry in the request.",
            );
        }
        if entries.len() > MAX_ENTRIES {
            return wrong(
                "com.amazonaws.sqs#TooManyEntriesInBatchRequest",
                "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
                "Maximum number of entries per request are 10.",
            );
        }
        if entries.iter().filter_map(|it| it["MessageBody"].as_str()).map(str::len).sum::<usize>()
            > MAX_MESSAGE
        {
            return wrong(
                "com.amazonaws.sqs#BatchRequestTooLong",
                "AWS.SimpleQueueService.BatchRequestTooLong",
                "Batch requests cannot be longer than 1048576 bytes.",
            );
        }
        let entries: Vec<(String, String)> = entries
            .into_iter()
            .map(|it| {
                let text = it.to_string();
                parse::<Entry>(text.as_bytes()).map(|entry| (entry.id, text))
            })
            .collect::<Result<_, _>>()?;
        if entries.iter().map(|it| &it.0).collect::<BTreeSet<_>>().len() < entries.len() {
            return wrong(
                "com.amazonaws.sqs#BatchEntryIdsNotDistinct",
                "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
                "Two or more batch entries in the request have the same Id.",
            );
        }
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for (id, entry) in entries {
            match one(entry.as_bytes()) {
                Ok(mut answer) => {
                    answer["Id"] = id.into();
                    successful.push(answer);
                }
                Err(refusal) => failed.push(json!({
                    "Id": id,
                    "Code": refusal.code,
                    "Message": refusal.message,
                    "SenderFault": true,
                })),
            }
        }
        Ok(json!({ "Successful": successful, "Failed": failed }))
    }
}
