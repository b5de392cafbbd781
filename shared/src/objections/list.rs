//! Who has objected: table `suppressions`, key `hash`. Whoever caches an answer about a creator keeps
//! the stamp ([`STAMP_KEY`]) with it that it was checked under, and checks again under another one.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use ::redis::{Pipeline, RedisResult};
use time::OffsetDateTime;

use super::{
    ObjectionKind,
    username::{Username, hash_as_given},
};
use crate::{
    error::Error,
    ids::random_base62,
    inventory::{CACHE_SECONDS, Table},
    redis::{Redis, RedisError},
    secrets::Peppers,
    store::{Item, KEYS_AT_ONCE, Store, n, s, stored, text, unavailable},
};

/// Redis key of a mark that is random and changes with each objection and withdrawal.
pub const STAMP_KEY: &str = "objections";

/// Redis keys of cached answers that can be about creators.
const CACHED: [&str; 3] = ["video:*", "creator:*", "search:*"];

/// Kind of these items; addresses that want no mail will be of another.
const KIND: &str = "creator";

/// How long cached answers are looked through. What is left is checked again anyway, because its stamp
/// is an old one, and is gone within the hour.
const DROP_FOR: Duration = Duration::from_secs(5);

/// Keys that Redis looks at, and values that are read, in one step.
const SCAN_COUNT: u32 = 1_000;
const READ_COUNT: usize = 100;

/// The creators who have objected. Clones are cheap.
#[derive(Clone, Debug)]
pub struct Objections(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    redis: Redis,
    peppers: Peppers,
}

impl Objections {
    /// Finds what was hashed with any of `peppers`, retired ones too.
    pub fn new(store: Store, redis: Redis, peppers: Peppers) -> Self {
        Self(Arc::new(Inner { store, redis, peppers }))
    }

    /// What hashes are made with.
    pub(super) fn peppers(&self) -> &Peppers {
        &self.0.peppers
    }

    /// Those of `usernames`, as they are given, who have objected; strongly consistent.
    pub async fn among(&self, usernames: &[&str]) -> Result<HashSet<String>, Error> {
        let mut names: HashMap<String, Vec<&str>> = HashMap::new();
        for name in usernames {
            for pepper in self.0.peppers.ever() {
                names.entry(hash_as_given(name, pepper)).or_default().push(name);
            }
        }
        let mut hashes: Vec<&String> = names.keys().collect();
        hashes.sort_unstable();
        let mut objected = HashSet::new();
        for some in hashes.chunks(KEYS_AT_ONCE) {
            let key = |hash: &str| Item::from([("hash".to_owned(), s(hash))]);
            let keys = some.iter().map(|it| (Table::Suppressions, key(it)));
            for (_, item) in self.0.store.get_many(keys.collect()).await? {
                let given = text(&item, "hash").and_then(|it| names.get(it));
                objected.extend(given.into_iter().flatten().map(|it| (*it).to_owned()));
            }
        }
        Ok(objected)
    }

    /// Leaves `username` out from now on. Doing it again changes nothing, and makes up for what could not
    /// be done the first time: the table is written first, then Redis is told.
    pub async fn object(&self, username: &str, now: OffsetDateTime) -> Result<(), Error> {
        let username = Username::parse(username)?;
        let pepper = &self.0.peppers.current;
        let answer = self
            .0
            .store
            .client()
            .put_item()
            .table_name(self.0.store.name(Table::Suppressions))
            .item("hash", s(username.hash(pepper)))
            .item("kind", s(KIND))
            .item("at", n(now.unix_timestamp()))
            .item("pepper_version", n(pepper.version))
            .condition_expression("attribute_not_exists(#hash)")
            .expression_attribute_names("#hash", "hash")
            .send()
            .await;
        // It may be there already.
        stored(answer)?;
        self.announce(&username).await
    }

    /// Lets `username` in again. Doing it again changes nothing.
    pub async fn withdraw(&self, username: &str) -> Result<(), Error> {
        let username = Username::parse(username)?;
        for pepper in self.0.peppers.ever() {
            self.0
                .store
                .client()
                .delete_item()
                .table_name(self.0.store.name(Table::Suppressions))
                .key("hash", s(username.hash(pepper)))
                .send()
                .await
                .map_err(unavailable)?;
        }
        self.announce(&username).await
    }

    /// Does what an objection or its withdrawal asks for.
    pub(super) async fn carry_out(
        &self,
        kind: ObjectionKind,
        username: &Username,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        match kind {
            ObjectionKind::Object => self.object(username.expose(), now).await,
            ObjectionKind::Withdraw => self.withdraw(username.expose()).await,
        }
    }

    /// Sets another stamp, then drops what is cached of `username`. In this order, so that what is
    /// cached meanwhile carries a stamp that is not valid any more.
    async fn announce(&self, username: &Username) -> Result<(), Error> {
        let failed = |error: RedisError| Error::unavailable("Redis", &error);
        let mut stamp = ::redis::pipe();
        let set = stamp.cmd("SET").arg(STAMP_KEY).arg(random_base62(16));
        set.arg("EX").arg(CACHE_SECONDS).ignore();
        self.0.redis.query_patiently::<()>(stamp).await.map_err(failed)?;
        self.drop_cached(username).await.map_err(failed)
    }

    async fn drop_cached(&self, username: &Username) -> Result<(), RedisError> {
        let end = Instant::now() + DROP_FOR;
        for pattern in CACHED {
            let mut cursor = 0_u64;
            loop {
                if Instant::now() >= end {
                    tracing::warn!(
                        "there was no time to drop every cached answer; they are checked"
                    );
                    return Ok(());
                }
                let mut scan = ::redis::pipe();
                let args = scan.cmd("SCAN").arg(cursor).arg("MATCH").arg(pattern);
                args.arg("COUNT").arg(SCAN_COUNT);
                let ((next, keys),): ((u64, Vec<Vec<u8>>),) =
                    self.0.redis.query_patiently(scan).await?;
                for some in keys.chunks(READ_COUNT) {
                    self.drop_some(some, username).await?;
                }
                if next == 0 {
                    break;
                }
                cursor = next;
            }
        }
        Ok(())
    }

    /// Deletes those of `keys` whose values name `username`. That somebody else's answer goes too, which
    /// only mentions the name, is no harm: it is fetched again.
    async fn drop_some(&self, keys: &[Vec<u8>], username: &Username) -> Result<(), RedisError> {
        // One command each: the keys lie in different slots.
        let pipeline = |command: &str, keys: &mut dyn Iterator<Item = &Vec<u8>>| {
            let mut pipeline: Pipeline = ::redis::pipe();
            for key in keys {
                pipeline.cmd(command).arg(key);
            }
            pipeline
        };
        let mut read = pipeline("GET", &mut keys.iter());
        // One that is no text cannot be looked at, and goes.
        let values: Vec<RedisResult<Option<Vec<u8>>>> =
            self.0.redis.query_patiently(read.ignore_errors().clone()).await?;
        let is_named = |value: &RedisResult<Option<Vec<u8>>>| match value {
            Ok(Some(value)) => names(value, username),
            Ok(None) => false,
            Err(_) => true,
        };
        let named = keys.iter().zip(&values).filter(|(_, value)| is_named(value));
        let named: Vec<&Vec<u8>> = named.map(|it| it.0).collect();
        if named.is_empty() {
            return Ok(());
        }
        let delete = pipeline("DEL", &mut named.into_iter());
        self.0.redis.query_patiently::<::redis::Value>(delete).await.map(drop)
    }
}

/// Whether a cached answer holds the handle as a whole text.
fn names(value: &[u8], username: &Username) -> bool {
    let quoted = format!("\"{}\"", username.expose());
    let is_same = |some: &[u8]| some.eq_ignore_ascii_case(quoted.as_bytes());
    value.windows(quoted.len()).any(is_same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_names_a_creator_by_the_whole_handle() {
        let named =
            |value: &str| names(value.as_bytes(), &Username::parse("made.up").expect("one"));
        assert!(named(r#"{"username":"made.up"}"#));
        assert!(named(r#"{"username":"Made.Up","é":1}"#));
        for other in ["", "made.up", r#"{"username":"made.up2"}"#, r#"{"username":"not.made.up"}"#]
        {
            assert!(!named(other), "{other}");
        }
    }

    #[test]
    fn the_keys_that_are_looked_through_are_declared() {
        let declared = crate::inventory::declares_redis_key(STAMP_KEY);
        assert_eq!(declared.map(|it| it.id), Some("objection-stamp"));
        assert!(
            crate::inventory::declares_redis_key("video:1")
                .is_some_and(|it| { it.place == crate::inventory::Place::Redis(CACHED[0]) })
        );
    }
}
