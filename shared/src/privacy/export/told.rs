//! What of a copy stands on its index page itself: what a person looks for first.

use std::collections::VecDeque;

use serde_json::{Map, Value};

use crate::inventory::{ACCOUNTS, BILLING_RECORDS, Category};

/// Most billing records on the page; all of them are in their file.
const MOST: usize = 200;

/// The account and its billing records, as they are in the copy.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    pub(super) account: Map<String, Value>,
    pub(super) records: VecDeque<Map<String, Value>>,
    /// Whether there are more records than these.
    pub(super) has_more: bool,
}

impl Told {
    /// Takes what of an item of `category` belongs on the page.
    pub(super) fn take(&mut self, category: &Category, item: &Map<String, Value>) {
        if category.id == ACCOUNTS.id {
            self.account.clone_from(item);
        } else if category.id == BILLING_RECORDS.id {
            // They come in the order of their dates: the newest stay.
            if self.records.len() == MOST {
                self.records.pop_front();
                self.has_more = true;
            }
            self.records.push_back(item.clone());
        }
    }

    /// Whether the account has ever been known at the payment processor.
    pub(super) fn is_customer(&self) -> bool {
        let past = self.account.get("past_customers").and_then(Value::as_array);
        self.account.get("customer").is_some_and(Value::is_string)
            || past.is_some_and(|it| !it.is_empty())
            || !self.records.is_empty()
    }
}

/// Hundredths of a currency as a person writes them: `-5.00 USD`.
pub(super) fn money(cents: &Value, currency: &Value) -> Option<String> {
    let cents = cents.as_i64()?;
    let sign = if cents < 0 { "-" } else { "" };
    let (whole, rest) = (cents.unsigned_abs() / 100, cents.unsigned_abs() % 100);
    let currency = currency.as_str().unwrap_or_default().to_uppercase();
    Some(format!("{sign}{whole}.{rest:02} {currency}").trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn money_is_written_with_its_currency() {
        let text = |cents: Value| money(&cents, &json!("usd"));
        assert_eq!(text(json!(2505)).as_deref(), Some("25.05 USD"));
        assert_eq!(text(json!(-7)).as_deref(), Some("-0.07 USD"));
        assert_eq!(text(Value::Null), None);
    }
}
