//! Where entries wait in Redis: in the streams, and aside of them what could not be read.

use std::sync::LazyLock;

use redis::{Value, streams::StreamRangeReply};

use super::{
    Entry,
    stream::{STREAMS, UNREADABLE_KEY, stream_key},
};
use crate::{
    error::Error,
    inventory::CACHE_SECONDS,
    redis::{Redis, RedisError, Script},
};

static SET_ASIDE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("set_aside.lua")));

/// Entries read of each stream at a time. All of one account lie in one stream, so that what it asked for
/// in a minute is mostly read together.
const PAGE: usize = 1_000;

/// Where an entry waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the stream of this number, under this id.
    Stream(u32, String),
    /// Among those that could not be read, as this text.
    Aside(String),
}

/// An entry that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) place: Place,
    pub(super) entry: Entry,
}

/// What was read at once.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) waiting: Vec<Waiting>,
    /// What of it could not be understood: its stream, its id there, and the text.
    pub(super) unreadable: Vec<(u32, String, String)>,
    /// Entries of the streams, readable or not.
    pub(super) read: usize,
}

/// Goes through everything that waits, the oldest first: the streams side by side, then what earlier runs have
/// set aside. What stays behind is not read again by the same run.
pub(super) struct Reader<'r> {
    redis: &'r Redis,
    /// What of each stream has been read already; `None` when that is all of it.
    after: [Option<String>; STREAMS as usize],
    /// As many of those aside have been read and are there still.
    aside: Option<usize>,
}

impl<'r> Reader<'r> {
    pub(super) fn new(redis: &'r Redis) -> Self {
        Self { redis, after: [const { Some(String::new()) }; STREAMS as usize], aside: Some(0) }
    }

    /// The next page; `None` when there is no more.
    pub(super) async fn next(&mut self) -> Result<Option<Page>, Error> {
        if self.after.iter().any(Option::is_some) {
            return self.streams().await.map(Some);
        }
        self.set_aside().await
    }

    async fn streams(&mut self) -> Result<Page, Error> {
        let mut pipeline = redis::pipe();
        let open: Vec<u32> = (0..STREAMS).filter(|n| self.after[*n as usize].is_some()).collect();
        for n in &open {
            let from = match self.after[*n as usize].as_deref() {
                None | Some("") => "-".to_owned(),
                Some(last) => format!("({last}"),
            };
            pipeline.cmd("XRANGE").arg(stream_key(*n)).arg(from).arg("+").arg("COUNT").arg(PAGE);
        }
        let answers: Vec<StreamRangeReply> =
            self.redis.query_patiently(pipeline).await.map_err(failed)?;
        let mut page = Page::default();
        for (n, answer) in open.into_iter().zip(answers) {
            let last = answer.ids.last().filter(|_| answer.ids.len() == PAGE);
            self.after[n as usize] = last.map(|it| it.id.clone());
            page.read += answer.ids.len();
            for mut item in answer.ids {
                let text = match item.map.remove("entry") {
                    Some(Value::BulkString(text)) => String::from_utf8_lossy(&text).into_owned(),
                    // Not as any version has written it so far: all of it is kept.
                    _ => format!("{:?}", item.map),
                };
                match serde_json::from_str(&text) {
                    Ok(entry) => {
                        let place = Place::Stream(n, item.id);
                        page.waiting.push(Waiting { place, entry });
                    }
                    Err(_) => page.unreadable.push((n, item.id, text)),
                }
            }
        }
        Ok(page)
    }

    /// Another version of this function may understand what an earlier one did not.
    async fn set_aside(&mut self) -> Result<Option<Page>, Error> {
        let Some(from) = self.aside else { return Ok(None) };
        let mut pipeline = redis::pipe();
        pipeline.cmd("ZRANGE").arg(UNREADABLE_KEY).arg(from).arg(from + PAGE - 1);
        let (texts,): (Vec<String>,) =
            self.redis.query_patiently(pipeline).await.map_err(failed)?;
        self.aside = (texts.len() == PAGE).then_some(from + PAGE);
        let waiting = texts.into_iter().filter_map(|text| {
            let entry = serde_json::from_str(&text).ok()?;
            Some(Waiting { place: Place::Aside(text), entry })
        });
        Ok(Some(Page { waiting: waiting.collect(), ..Page::default() }))
    }

    /// Takes away what is in the tables now.
    pub(super) async fn remove(&mut self, places: &[Place]) -> Result<(), Error> {
        if places.is_empty() {
            return Ok(());
        }
        let mut pipeline = redis::pipe();
        for n in 0..STREAMS {
            let ids = places.iter().filter_map(|place| match place {
                Place::Stream(of, id) if *of == n => Some(id),
                _ => None,
            });
            delete(&mut pipeline, n, ids);
        }
        let texts: Vec<&String> = places
            .iter()
            .filter_map(|place| match place {
                Place::Aside(text) => Some(text),
                Place::Stream(..) => None,
            })
            .collect();
        if !texts.is_empty() {
            pipeline.cmd("ZREM").arg(UNREADABLE_KEY).arg(&texts).ignore();
            // Those behind them have moved up.
            self.aside = self.aside.map(|from| from.saturating_sub(texts.len()));
        }
        self.redis.query_patiently::<()>(pipeline).await.map_err(failed)
    }

    /// Moves what could not be read to a key of its own for the rest of its hour, where it is in nobody's
    /// way. Returns how much lies there.
    pub(super) async fn put_aside(
        &self,
        unreadable: &[(u32, String, String)],
    ) -> Result<usize, Error> {
        let life = CACHE_SECONDS.to_string();
        let mut count = 0;
        // Once without anything, for what has come to the end of its hour.
        for some in unreadable.chunks(PAGE).chain(unreadable.is_empty().then_some(&[][..])) {
            let mut args = vec![life.as_str()];
            for (_, id, text) in some {
                args.extend([appended(id), text.as_str()]);
            }
            count = SET_ASIDE
                .run_patiently::<usize>(self.redis, UNREADABLE_KEY, &args)
                .await
                .map_err(failed)?;
            // After that: killed in between, it is moved once more, which changes nothing.
            let mut pipeline = redis::pipe();
            for n in 0..STREAMS {
                delete(&mut pipeline, n, some.iter().filter(|it| it.0 == n).map(|it| &it.1));
            }
            if !some.is_empty() {
                self.redis.query_patiently::<()>(pipeline).await.map_err(failed)?;
            }
        }
        Ok(count)
    }
}

fn delete<'i>(pipeline: &mut redis::Pipeline, n: u32, ids: impl Iterator<Item = &'i String>) {
    let ids: Vec<&String> = ids.collect();
    if !ids.is_empty() {
        pipeline.cmd("XDEL").arg(stream_key(n)).arg(ids).ignore();
    }
}

/// When the entry with this id was appended, in milliseconds by the server's clock.
fn appended(id: &str) -> &str {
    id.split_once('-').map_or(id, |(ms, _)| ms)
}

/// Seconds since the oldest entry of the streams was appended, by the server's clock, which also made its
/// id; 0 when they are empty.
pub(super) async fn oldest(redis: &Redis) -> Result<u64, Error> {
    let mut pipeline = redis::pipe();
    pipeline.cmd("TIME");
    for n in 0..STREAMS {
        pipeline.cmd("XRANGE").arg(stream_key(n)).arg("-").arg("+").arg("COUNT").arg(1);
    }
    let answers: Vec<Value> = redis.query_patiently(pipeline).await.map_err(failed)?;
    let mut answers = answers.into_iter();
    let parse = |error| Error::unavailable("Redis", &error);
    let time = answers.next().unwrap_or(Value::Nil);
    let (now, _): (u64, u64) = redis::from_redis_value(time).map_err(parse)?;
    let mut oldest = None;
    for answer in answers {
        let first: StreamRangeReply = redis::from_redis_value(answer).map_err(parse)?;
        let at = first.ids.first().and_then(|it| appended(&it.id).parse::<u64>().ok());
        oldest = [oldest, at].into_iter().flatten().min();
    }
    Ok(oldest.map_or(0, |at| now.saturating_sub(at / 1000)))
}

fn failed(error: RedisError) -> Error {
    Error::unavailable("Redis", &error)
}
