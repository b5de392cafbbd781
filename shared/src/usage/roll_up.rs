//! The job behind the stream: moves what waits there into the tables. It can be killed at any point and
//! run again, also twice at once.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, btree_map},
    sync::{Mutex, PoisonError},
    time::Instant,
};

use futures_util::{
    StreamExt,
    future::{join, join_all},
    stream,
};
use time::OffsetDateTime;

use super::{
    packs::{Expected, append_minute, is_logged},
    waiting::{Place, Reader, Waiting, oldest},
};
use crate::{
    app::App,
    error::Error,
    ids::{AccountId, KeyId},
    inventory::Table,
    keys,
    patience::Patience,
    store::{Item, KEYS_AT_ONCE, Store, number, s, text},
};

/// Accounts worked on at the same time. Never two runs of one account: they would get into each other's
/// transactions.
const AT_ONCE: usize = 32;

/// Calls that look accounts up at the same time.
const LOOK_UPS: usize = 4;

/// Accounts of a page that fail, none of them done: then it is probably not the accounts that are at fault, and the
/// rest of the page is left for the next run.
const HOPELESS: usize = 2 * AT_ONCE;

/// Time between two runs.
const EVERY: time::Duration = time::Duration::minutes(1);

/// How far behind the key's last use may be that is known, in seconds.
const USE_MAY_LAG: i64 = 300;

/// What one run did.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct RolledUp {
    /// Entries read from the streams.
    pub read: usize,
    /// Entries that were not in the table yet.
    pub new: usize,
    /// Entries that could not be understood. They are kept for the rest of their hour, and tried again.
    pub unreadable: usize,
    /// Accounts whose entries could not be moved. They stay in the stream, and are tried again.
    pub failed: usize,
    /// Whether everything else that there was has been moved.
    pub complete: bool,
    /// Age in seconds of the oldest entry that is left.
    pub oldest_seconds: u64,
}

/// Runs once: until everything has been tried, or until `deadline`.
pub async fn roll_up(app: &App, now: OffsetDateTime, deadline: Instant) -> Result<RolledUp, Error> {
    let mut done = RolledUp::default();
    let patience = Patience::until(deadline);
    let mut run = Run { store: &app.store, now, deadline, patience, failed: HashSet::new() };
    let mut reader = Reader::new(&app.redis);
    let mut is_hopeless = false;
    done.unreadable = reader.put_aside(&[]).await?;
    while Instant::now() < deadline {
        let Some(page) = reader.next().await? else {
            done.complete = !is_hopeless;
            break;
        };
        done.read += page.read;
        if !page.unreadable.is_empty() {
            tracing::error!(count = page.unreadable.len(), "log entries cannot be understood");
            done.unreadable = reader.put_aside(&page.unreadable).await?;
        }
        let moved = run.move_page(&page.waiting).await;
        done.new += moved.new;
        let aside = moved.places.iter().filter(|it| matches!(it, Place::Aside(_))).count();
        done.unreadable = done.unreadable.saturating_sub(aside);
        reader.remove(&moved.places).await?;
        if moved.is_hopeless {
            // What fails stays at the head: behind it may be what does not.
            tracing::error!("no account's entries on a page can be moved: the rest of it waits");
            is_hopeless = true;
        }
    }
    done.failed = run.failed.len();
    done.oldest_seconds = oldest(&app.redis).await?;
    Ok(done)
}

/// What those who work on a page share.
#[derive(Default)]
struct Shared<'p> {
    /// What is still to be done.
    accounts: btree_map::IntoIter<&'p AccountId, Minutes<'p>>,
    moved: Moved,
    failed: Vec<&'p AccountId>,
}

impl<'p> Shared<'p> {
    fn next(&mut self) -> Option<(&'p AccountId, Minutes<'p>)> {
        self.moved.is_hopeless = self.moved.places.is_empty() && self.failed.len() >= HOPELESS;
        if self.moved.is_hopeless { None } else { self.accounts.next() }
    }

    fn note(&mut self, account: &'p AccountId, moved: Moved, outcome: Result<(), Error>) {
        self.moved.new += moved.new;
        self.moved.places.extend(moved.places);
        if let Err(error) = outcome {
            // Not whose: function logs name nobody.
            tracing::error!(error = %error, "an account's log entries could not be moved");
            self.failed.push(account);
        }
    }
}

/// What a run goes by.
struct Run<'r> {
    store: &'r Store,
    now: OffsetDateTime,
    deadline: Instant,
    patience: Patience,
    /// Accounts that are left alone for the rest of the run.
    failed: HashSet<AccountId>,
}

/// What has been moved.
#[derive(Default)]
struct Moved {
    /// Entries that were not in the table yet.
    new: usize,
    /// Where the entries were that are in the table now.
    places: Vec<Place>,
    is_hopeless: bool,
}

/// Of one account what was read at once, by the minute.
type Minutes<'p> = BTreeMap<i64, Vec<&'p Waiting>>;

impl Run<'_> {
    /// Moves a page into the table, account by account. What is not written stays where it is.
    async fn move_page(&mut self, page: &[Waiting]) -> Moved {
        let mut accounts: BTreeMap<&AccountId, Minutes<'_>> = BTreeMap::new();
        for waiting in page.iter().filter(|it| !self.failed.contains(&it.entry.account)) {
            let minutes = accounts.entry(&waiting.entry.account).or_default();
            minutes.entry(waiting.entry.at_ms.div_euclid(60_000)).or_default().push(waiting);
        }
        let known = self.look_up(page, &accounts).await;
        let shared = Mutex::new(Shared { accounts: accounts.into_iter(), ..Shared::default() });
        // Not a future for each account: of a page they would need more memory than what is in it.
        join_all((0..AT_ONCE).map(|_| self.work(&shared, &known))).await;
        let shared = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.failed.extend(shared.failed.into_iter().cloned());
        shared.moved
    }

    /// Moves one account after the other, until none is left or the time is over.
    async fn work<'p>(&self, shared: &Mutex<Shared<'p>>, known: &Known) {
        let lock = || shared.lock().unwrap_or_else(PoisonError::into_inner);
        while Instant::now() < self.deadline {
            let Some((account, minutes)) = lock().next() else { return };
            let (moved, outcome) = self.move_account(account, &minutes, known).await;
            lock().note(account, moved, outcome);
        }
    }

    /// Looks up the accounts and the keys that they used, as many as go into one call at a time.
    async fn look_up(
        &self,
        page: &[Waiting],
        accounts: &BTreeMap<&AccountId, Minutes<'_>>,
    ) -> Known {
        let used: BTreeSet<_> = page
            .iter()
            .map(|it| (&it.entry.account, &it.entry.key_id))
            .filter(|it| accounts.contains_key(it.0))
            .collect();
        let ids = accounts.keys().map(|id| {
            let key = Item::from([("id".to_owned(), s(id.to_string()))]);
            (id.to_string(), (Table::Accounts, key))
        });
        let keys = used.into_iter().map(|(account, key_id)| {
            let key = Item::from([
                ("account".to_owned(), s(account.to_string())),
                ("key_id".to_owned(), s(key_id.to_string())),
            ]);
            (account.to_string(), (Table::ApiKeys, key))
        });
        let asked: Vec<(String, (Table, Item))> = ids.chain(keys).collect();
        let calls = asked.chunks(KEYS_AT_ONCE).map(|some| async move {
            let keys: Vec<_> = some.iter().map(|it| it.1.clone()).collect();
            (some, self.patience.with(self.store.get_many(keys)).await)
        });
        let calls: Vec<_> = calls.collect();
        let mut calls = stream::iter(calls).buffer_unordered(LOOK_UPS);
        let mut known = Known::default();
        while let Some((some, found)) = calls.next().await {
            match found {
                Ok(items) => items.into_iter().for_each(|(table, item)| known.learn(table, &item)),
                Err(error) => {
                    let detail = error.to_string();
                    known.failed.extend(some.iter().map(|it| (it.0.clone(), detail.clone())));
                }
            }
        }
        known
    }

    /// Moves one account's entries, minute by minute: also where it fails, what it came to before.
    async fn move_account(
        &self,
        account: &AccountId,
        minutes: &Minutes<'_>,
        known: &Known,
    ) -> (Moved, Result<(), Error>) {
        let mut moved = Moved::default();
        let outcome =
            self.patience.with(self.move_minutes(account, minutes, known, &mut moved)).await;
        (moved, outcome)
    }

    async fn move_minutes(
        &self,
        account: &AccountId,
        minutes: &Minutes<'_>,
        known: &Known,
        moved: &mut Moved,
    ) -> Result<(), Error> {
        if !known.is_logged(account)? {
            // Those of an account that is gone are dropped.
            moved.places.extend(minutes.values().flatten().map(|it| it.place.clone()));
            return Ok(());
        }
        let packs = async {
            for (minute, waiting) in minutes {
                let entries: Vec<_> = waiting.iter().map(|it| &it.entry).collect();
                let expected = self.expected(*minute);
                moved.new +=
                    append_minute(self.store, account, *minute, &entries, expected).await?;
                moved.places.extend(waiting.iter().map(|it| it.place.clone()));
            }
            Ok(())
        };
        let (packs, marks) = join(packs, self.mark_keys_used(account, minutes, known)).await;
        if marks.is_err() {
            // They are in the table; and are kept to mark the keys once more.
            moved.places.clear();
        }
        packs.and(marks)
    }

    /// A minute that began after the run before has probably nothing in the table yet: then looking would be
    /// a call for nothing.
    fn expected(&self, minute: i64) -> Expected {
        let is_fresh = minute * 60 >= (self.now - EVERY).unix_timestamp();
        if is_fresh { Expected::Nothing } else { Expected::Anything }
    }

    async fn mark_keys_used(
        &self,
        account: &AccountId,
        minutes: &Minutes<'_>,
        known: &Known,
    ) -> Result<(), Error> {
        let mut last: BTreeMap<&KeyId, i64> = BTreeMap::new();
        for waiting in minutes.values().flatten() {
            let at = last.entry(&waiting.entry.key_id).or_default();
            *at = (*at).max(waiting.entry.at_ms / 1000);
        }
        for (key_id, at) in last {
            let before = known.last_used(account, key_id);
            if before.is_some_and(|before| before.is_none_or(|it| at - it > USE_MAY_LAG)) {
                keys::mark_used(self.store, account, key_id, at).await?;
            }
        }
        Ok(())
    }
}

/// What the tables say about the accounts of a page and their keys.
#[derive(Default)]
struct Known {
    /// Whether an account's requests are logged. Of one that is not there, they are not.
    accounts: HashMap<String, bool>,
    /// When a key was last used, if it was; of those that are there.
    keys: HashMap<(String, String), Option<i64>>,
    /// Accounts of which nothing could be learnt, and why.
    failed: HashMap<String, String>,
}

impl Known {
    fn is_logged(&self, account: &AccountId) -> Result<bool, Error> {
        let id = account.to_string();
        match self.failed.get(&id) {
            Some(detail) => {
                Err(Error::Unavailable { dependency: "DynamoDB", detail: detail.clone() })
            }
            None => Ok(self.accounts.get(&id).copied().unwrap_or(false)),
        }
    }

    fn last_used(&self, account: &AccountId, key_id: &KeyId) -> Option<Option<i64>> {
        self.keys.get(&(account.to_string(), key_id.to_string())).copied()
    }
}

impl Known {
    fn learn(&mut self, table: Table, item: &Item) {
        let field = |name| text(item, name).unwrap_or_default().to_owned();
        if table == Table::Accounts {
            self.accounts.insert(field("id"), is_logged(Some(item)));
        } else {
            let at = number(item, "last_used_at");
            self.keys.insert((field("account"), field("key_id")), at);
        }
    }
}
