//! Rows in the order of their making, found by id.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Something with an id of its own.
pub(super) trait Row {
    /// What its ids begin with, with the underscore.
    const PREFIX: &'static str;
    /// What the messages call it.
    const NAME: &'static str;

    fn id(&self) -> &str;
    fn created(&self) -> i64;
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Vec<T>", into = "Vec<T>", bound(serialize = "T: Row + Clone + Serialize"))]
#[serde(bound(deserialize = "T: Row + Clone + Deserialize<'de>"))]
pub(super) struct Table<T: Row + Clone> {
    rows: Vec<T>,
    index: BTreeMap<String, usize>,
}

impl<T: Row + Clone> Default for Table<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), index: BTreeMap::new() }
    }
}

impl<T: Row + Clone> From<Vec<T>> for Table<T> {
    fn from(rows: Vec<T>) -> Self {
        let index = rows.iter().enumerate().map(|(at, row)| (row.id().to_owned(), at)).collect();
        Self { rows, index }
    }
}

impl<T: Row + Clone> From<Table<T>> for Vec<T> {
    fn from(table: Table<T>) -> Self {
        table.rows
    }
}

impl<T: Row + Clone> Table<T> {
    pub(super) fn insert(&mut self, row: T) {
        self.index.insert(row.id().to_owned(), self.rows.len());
        self.rows.push(row);
    }

    pub(super) fn get(&self, id: &str) -> Option<&T> {
        self.index.get(id).map(|at| &self.rows[*at])
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut T> {
        self.index.get(id).map(|at| &mut self.rows[*at])
    }

    /// Oldest first.
    pub(super) fn iter(&self) -> std::slice::Iter<'_, T> {
        self.rows.iter()
    }

    /// Oldest first.
    pub(super) fn iter_mut(&mut self) -> std::slice::IterMut<'_, T> {
        self.rows.iter_mut()
    }
}
