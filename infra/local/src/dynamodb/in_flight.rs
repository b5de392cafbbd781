//! The items that calls are working on, and what happens to another call on one of them.
//!
//! DynamoDB works on an item either for one transaction or for any number of single writes. A single write on
//! an item of a transaction is refused with `TransactionConflictException`; a transaction that meets either is
//! cancelled with the reason `TransactionConflict` (`API_TransactWriteItems`, `API_CancellationReason`).

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Map, Value};

/// The table and the key of an item, its attributes in order.
pub(super) type ItemKey = (String, String);

/// The items in use. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct InFlight(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Names of the key's attributes, by table.
    schemas: HashMap<String, Vec<String>>,
    items: HashMap<ItemKey, Use>,
    /// Client tokens of the transactions under way.
    tokens: HashSet<String>,
}

#[derive(Debug)]
enum Use {
    Transaction,
    Writes(u32),
}

/// Why a call may not begin.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Busy {
    /// Which of its items are in use.
    Items(Vec<bool>),
    /// The same transaction is under way.
    Token,
}

/// Keeps items in use until it is dropped.
#[derive(Debug)]
pub(super) struct Hold {
    of: InFlight,
    items: Vec<ItemKey>,
    token: Option<String>,
}

impl InFlight {
    /// Learns what the key of a table is from the request that creates it.
    pub(super) fn learn(&self, create: &Value) {
        let name = |it: &Value| Some(it.get("AttributeName")?.as_str()?.to_owned());
        let keys = create.get("KeySchema").and_then(Value::as_array);
        let mut keys: Vec<_> = keys.into_iter().flatten().filter_map(name).collect();
        keys.sort();
        if let Some(table) = create.get("TableName").and_then(Value::as_str) {
            self.state().schemas.insert(table.to_owned(), keys);
        }
    }

    /// The key in `attributes` of an item of `table`, where the table is known and the key is whole.
    pub(super) fn key(&self, table: &str, attributes: &Map<String, Value>) -> Option<ItemKey> {
        let state = self.state();
        let names = state.schemas.get(table)?;
        let values: Option<Vec<_>> = names.iter().map(|name| attributes.get(name)).collect();
        Some((table.to_owned(), Value::from_iter(values?.into_iter().cloned()).to_string()))
    }

    /// Begins a transaction on `items`; `None` stands for one that cannot be told.
    pub(super) fn transaction(
        &self,
        items: &[Option<ItemKey>],
        token: Option<&str>,
    ) -> Result<Hold, Busy> {
        let mut state = self.state();
        if token.is_some_and(|it| state.tokens.contains(it)) {
            return Err(Busy::Token);
        }
        let busy =
            |it: &Option<ItemKey>| it.as_ref().is_some_and(|it| state.items.contains_key(it));
        let busy: Vec<_> = items.iter().map(busy).collect();
        if busy.contains(&true) {
            return Err(Busy::Items(busy));
        }
        let items: Vec<_> = items.iter().flatten().cloned().collect();
        for item in &items {
            state.items.insert(item.clone(), Use::Transaction);
        }
        state.tokens.extend(token.map(str::to_owned));
        Ok(Hold { of: self.clone(), items, token: token.map(str::to_owned) })
    }

    /// Begins a single write; `None`: a transaction is working on the item.
    pub(super) fn write(&self, item: &ItemKey) -> Option<Hold> {
        let mut state = self.state();
        match state.items.entry(item.clone()).or_insert(Use::Writes(0)) {
            Use::Transaction => return None,
            Use::Writes(count) => *count += 1,
        }
        Some(Hold { of: self.clone(), items: vec![item.clone()], token: None })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut state = self.of.state();
        for item in &self.items {
            match state.items.get_mut(item) {
                Some(Use::Writes(count)) if *count > 1 => *count -= 1,
                _ => drop(state.items.remove(item)),
            }
        }
        if let Some(token) = &self.token {
            state.tokens.remove(token);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn known() -> InFlight {
        let in_flight = InFlight::default();
        let names = json!([{ "AttributeName": "b" }, { "AttributeName": "a" }]);
        in_flight.learn(&json!({ "TableName": "t", "KeySchema": names }));
        in_flight
    }

    fn item(in_flight: &InFlight, a: &str) -> ItemKey {
        let attributes = json!({ "a": { "S": a }, "b": { "S": "b" }, "c": { "S": "c" } });
        let attributes = attributes.as_object().expect("an object");
        in_flight.key("t", attributes).expect("a key")
    }

    #[test]
    fn a_transaction_has_its_items_to_itself_until_it_ends() {
        let in_flight = known();
        let (x, y) = (item(&in_flight, "x"), item(&in_flight, "y"));
        let items = [Some(x.clone()), None, Some(y.clone())];
        let held = in_flight.transaction(&items, Some("token")).expect("begun");
        assert!(in_flight.write(&x).is_none());
        assert_eq!(in_flight.transaction(&items, Some("token")).err(), Some(Busy::Token));
        let other = [Some(item(&in_flight, "z")), Some(y.clone())];
        let busy = in_flight.transaction(&other, None).err();
        assert_eq!(busy, Some(Busy::Items(vec![false, true])));
        drop(held);
        assert!(in_flight.transaction(&items, Some("token")).is_ok());
    }

    #[test]
    fn single_writes_hold_up_transactions_and_not_each_other() {
        let in_flight = known();
        let x = item(&in_flight, "x");
        let (first, second) = (in_flight.write(&x), in_flight.write(&x));
        assert!(first.is_some() && second.is_some());
        drop(first);
        let busy = in_flight.transaction(&[Some(x.clone())], None).err();
        assert_eq!(busy, Some(Busy::Items(vec![true])));
        drop(second);
        assert!(in_flight.transaction(&[Some(x)], None).is_ok());
        assert_eq!(in_flight.key("unknown", &Map::new()), None);
    }
}
