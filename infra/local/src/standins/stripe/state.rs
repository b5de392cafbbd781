//! Everything Stripe knows, and how a change of it becomes an event.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    api::Remembered,
    credit_notes::CreditNote,
    events::{Event, RequestRef},
    model::{
        AfterRetries, Charge, Customer, Dispute, Invoice, PaymentIntent, PortalSession, Price,
        Product, Refund, Session, Subscription,
    },
    redaction::RedactionJob,
    refusal::Refusal,
    table::{Row, Table},
};

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct State {
    /// The present time; set at the beginning of whatever is done.
    #[serde(skip)]
    pub(super) now: i64,
    /// Address of the pages.
    #[serde(skip)]
    pub(super) url: String,
    /// What is being answered, while something is.
    #[serde(skip)]
    pub(super) request: Option<RequestRef>,
    /// Ids of events that nobody has been told of yet.
    #[serde(skip)]
    pub(super) news: Vec<String>,
    /// Whether the service's endpoint is to be told of drafts: then they wait for its answer.
    #[serde(skip)]
    pub(super) hears_of_drafts: bool,
    /// Whether lists and redactions take the id of a deleted customer.
    #[serde(skip)]
    pub(super) knows_deleted: bool,
    ids: u64,
    pub(super) after_retries: AfterRetries,
    pub(super) customers: Table<Customer>,
    pub(super) products: Table<Product>,
    pub(super) prices: Table<Price>,
    pub(super) sessions: Table<Session>,
    pub(super) portal_sessions: Table<PortalSession>,
    pub(super) subscriptions: Table<Subscription>,
    pub(super) invoices: Table<Invoice>,
    pub(super) payment_intents: Table<PaymentIntent>,
    pub(super) charges: Table<Charge>,
    pub(super) refunds: Table<Refund>,
    pub(super) disputes: Table<Dispute>,
    #[serde(default)]
    pub(super) credit_notes: Table<CreditNote>,
    pub(super) redaction_jobs: Table<RedactionJob>,
    pub(super) events: Table<Event>,
    /// Answers, by idempotency key.
    pub(super) remembered: BTreeMap<String, Remembered>,
}

/// A row that the API shows.
pub(super) trait Object: Row + Clone {
    /// The type of the event that tells of a change, where there is one.
    const UPDATED: Option<&'static str>;

    fn table(state: &State) -> &Table<Self>;
    fn table_mut(state: &mut State) -> &mut Table<Self>;
    fn render(&self, state: &State) -> Value;
}

impl State {
    /// A new id; the same ones in every run.
    pub(super) fn id(&mut self, prefix: &str) -> String {
        self.ids += 1;
        format!("{prefix}{}{}", scramble(self.ids, 11), scramble(!self.ids, 11))
    }

    /// Adds a row.
    pub(super) fn add<T: Object>(&mut self, row: T) {
        T::table_mut(self).insert(row);
    }

    /// Adds a row and tells of it.
    pub(super) fn announce<T: Object>(&mut self, row: T, kind: &str) {
        let id = row.id().to_owned();
        self.add(row);
        self.tell::<T>(&id, kind);
    }

    /// The row with this id, or the answer that there is none.
    pub(super) fn find<T: Object>(&self, id: &str) -> Result<T, Refusal> {
        T::table(self).get(id).cloned().ok_or_else(|| Refusal::missing(T::NAME, id))
    }

    /// As [`Self::find`], for the id in a parameter.
    pub(super) fn refer<T: Object>(&self, id: &str, param: &str) -> Result<T, Refusal> {
        let found = T::table(self).get(id).cloned();
        found.ok_or_else(|| Refusal::missing_reference(T::NAME, id, param))
    }

    /// What the API shows of the row with this id.
    pub(super) fn show<T: Object>(&self, id: &str) -> Value {
        T::table(self).get(id).map_or(Value::Null, |row| row.render(self))
    }

    /// Makes an event of the row as it is.
    pub(super) fn tell<T: Object>(&mut self, id: &str, kind: &str) {
        let object = self.show::<T>(id);
        self.emit(kind, object, None);
    }

    /// Changes a row without telling.
    pub(super) fn edit<T: Object>(&mut self, id: &str, change: impl FnOnce(&mut T)) {
        if let Some(row) = T::table_mut(self).get_mut(id) {
            change(row);
        }
    }

    /// Changes a row; if the API then shows it differently, there is an event of it.
    pub(super) fn update<T: Object>(&mut self, id: &str, change: impl FnOnce(&mut T)) {
        self.update_as::<T>(id, T::UPDATED, change);
    }

    /// As [`Self::update`], with an event of another type.
    pub(super) fn update_as<T: Object>(
        &mut self,
        id: &str,
        kind: Option<&str>,
        change: impl FnOnce(&mut T),
    ) {
        let before = self.show::<T>(id);
        self.edit(id, change);
        let after = self.show::<T>(id);
        let previous = differences(&before, &after);
        if let (Some(kind), false) = (kind, previous.is_empty()) {
            self.emit(kind, after, Some(Value::Object(previous)));
        }
    }

    fn emit(&mut self, kind: &str, object: Value, previous: Option<Value>) {
        let id = self.id(Event::PREFIX);
        let mut data = json!({ "object": object });
        if let Some(previous) = previous {
            data["previous_attributes"] = previous;
        }
        let request = self.request.clone();
        self.news.push(id.clone());
        self.events.insert(Event::new(id, kind, self.now, data, request));
    }
}

/// What `before` says of the names whose values are others in `after`.
fn differences(before: &Value, after: &Value) -> Map<String, Value> {
    let (Some(before), Some(after)) = (before.as_object(), after.as_object()) else {
        return Map::new();
    };
    let names = before.keys().chain(after.keys().filter(|it| !before.contains_key(*it)));
    let changed = names.filter(|name| before.get(*name) != after.get(*name));
    changed.map(|name| (name.clone(), before.get(name).cloned().unwrap_or_default())).collect()
}

/// Looks random, and differs for each number: all steps can be undone.
fn scramble(number: u64, length: usize) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut bits = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^= bits >> 31;
    let mut text = String::new();
    for _ in 0..length {
        let digit = usize::try_from(bits % 62).unwrap_or_default();
        text.push(char::from(ALPHABET[digit]));
        bits /= 62;
    }
    text
}
