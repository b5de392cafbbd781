//! What every metered endpoint does around its own work: the gate before, the log after, and a
//! request that was not served is not charged.

use std::time::{Duration, Instant};

use lambda_http::http::header;

use super::{
    Call, Reply, headers, problem,
    serve::{log_failure, unless_panicking},
};
use crate::{
    accounts::Account,
    app::App,
    error::{AuthError, Error},
    flight::Looked,
    gate::{Admission, Class, Denial, Token, epoch_ms},
    ids::{AccountId, KeyId},
    keys::{ApiKey, Environment},
    plans::Period,
    usage::{Agent, Entry},
    video::FetchError,
};

/// Longest time for an endpoint's own work. API Gateway waits for 30 s, and functions end after 29.
const LONGEST: Duration = Duration::from_secs(26);

/// What an endpoint's own work comes to.
#[derive(Debug)]
pub struct Served {
    /// The answer.
    pub reply: Reply,
    /// Whether it came from the cache.
    pub cached: bool,
    /// How many of the requests that it counts as were not served: they are given back.
    pub unserved: u64,
    /// At how many of those a source has failed.
    pub failed: u64,
}

impl Served {
    /// An answer that serves all that was asked for.
    pub fn whole(reply: Reply, cached: bool) -> Self {
        Self { reply, cached, unserved: 0, failed: 0 }
    }
}

/// A request that the gate has let through.
#[derive(Debug)]
pub struct Visit {
    /// What the gate said.
    pub admission: Admission,
    started: Instant,
    parameters: Vec<(String, String)>,
}

impl Visit {
    /// Asks the gate for `count` requests, and for what the cache has at `cache_keys` in the same write.
    /// `parameters` go into the log; a refusal is logged here.
    pub async fn admit(
        app: &App,
        call: &Call,
        parameters: Vec<(String, String)>,
        count: u64,
        cache_keys: &[String],
    ) -> Result<(Self, Looked), Error> {
        let keys = Looked::keys(cache_keys);
        let started = Instant::now();
        let key = call.api_key()?;
        let peppers = app.secrets.get().await?.pepper;
        match app.gate.admit(&key, &peppers, count, &keys, call.now()).await {
            Ok((admission, values)) => {
                Ok((Self { admission, started, parameters }, Looked::new(values)))
            }
            Err(error) => {
                if let Error::Denied(Denial::Rate { key_id, .. } | Denial::Quota { key_id, .. }) =
                    &error
                {
                    let mut entry = entry(call, key.account(), key_id, parameters, started);
                    entry.status = 429;
                    entry.period = Period::month_of(call.now()).key();
                    app.usage.push(entry);
                }
                Err(error)
            }
        }
    }

    /// Answers with what `work` comes to, logs it, and returns the request to the quota if it failed;
    /// a panic is a failure too.
    pub async fn finish(
        self,
        app: &App,
        call: &Call,
        work: impl Future<Output = Result<Served, Error>>,
    ) -> Reply {
        let mut limits = self.admission.limits;
        let mut charged = self.admission.cost;
        // Lambda would end the function in the middle, and nothing would be given back.
        let in_time = async {
            let served = tokio::time::timeout(LONGEST, work).await;
            served.unwrap_or(Err(FetchError::Timeout.into()))
        };
        let served = unless_panicking(in_time).await.unwrap_or_else(|error| {
            log_failure(&error, call.request_id());
            let is_sources_fault = matches!(&error, Error::Video(it) if it.is_sources_fault());
            let failed = if is_sources_fault { charged } else { 0 };
            let reply = problem(&error, app.config.service.site(), call.request_id());
            Served { reply, cached: false, unserved: charged, failed }
        });
        let Served { reply, cached, .. } = served;
        let unserved = served.unserved.min(charged);
        note_unpaid(app, call, &self.admission, unserved.saturating_sub(served.failed)).await;
        match app.gate.give_back(&self.admission, unserved, call.request_id()).await {
            Ok(()) => {
                charged -= unserved;
                limits.period.remaining += unserved;
            }
            Err(error) => {
                tracing::error!(error = %error, "a failed request could not be given back");
            }
        }
        let admission = self.admission;
        let mut entry =
            entry(call, &admission.account, &admission.key_id, self.parameters, self.started);
        entry.status = reply.status().as_u16();
        entry.cached = cached;
        entry.period = admission.period.key();
        entry.charged = charged;
        if charged > 0
            && let Token::Leased { lease, seq } = admission.token
        {
            entry.lease = Some((lease, seq));
        }
        app.usage.push(entry);
        headers::rate_limit(reply, &limits)
    }
}

/// Notes what the part of a request that is not charged has cost of a source's allowance: what nobody
/// pays for must not use that up.
async fn note_unpaid(app: &App, call: &Call, admission: &Admission, unserved: u64) {
    let calls = admission.calls.made() * unserved;
    if calls == 0 {
        return;
    }
    let calls = calls.div_ceil(admission.cost.max(1));
    let noted = match app.sources().await {
        Ok(sources) => sources.note_unpaid(&admission.account, calls, call.now()).await,
        Err(error) => Err(error),
    };
    if let Err(error) = noted {
        tracing::warn!(error = %error, "calls that were not charged could not be counted");
    }
}

/// The log entry of a request that was not charged; the caller fills in how it ended.
fn entry(
    call: &Call,
    account: &AccountId,
    key_id: &KeyId,
    parameters: Vec<(String, String)>,
    started: Instant,
) -> Entry {
    let field = |name| Some(call.header(name)?.chars().take(512).collect());
    Entry {
        request_id: call.request_id().to_owned(),
        at_ms: epoch_ms(call.now()),
        account: account.clone(),
        key_id: key_id.clone(),
        endpoint: call.route().to_owned(),
        parameters,
        status: 0,
        latency_ms: u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX),
        cached: false,
        charged: 0,
        period: String::new(),
        lease: None,
        ip: call.source_ip().to_owned(),
        country: call.country().map(str::to_owned),
        agent: call.header(header::USER_AGENT.as_str()).map(Agent::parse),
        referrer: field(header::REFERER.as_str()),
    }
}

/// The key of a request to an unmetered endpoint. One of the sandbox lies in test code and CI: it opens
/// nothing that is real.
fn real_key(call: &Call) -> Result<ApiKey, Error> {
    let key = call.api_key()?;
    match key.environment() {
        Environment::Live => Ok(key),
        Environment::Test => Err(AuthError::Sandbox.into()),
    }
}

/// The account and key that a request to an unmetered endpoint authenticates as. It counts against the
/// limit of `class`.
pub async fn authenticate(app: &App, call: &Call, class: Class) -> Result<(Account, KeyId), Error> {
    let key = real_key(call)?;
    let peppers = app.secrets.get().await?.pepper;
    let (account, key_id) = app.gate.identify(&key, &peppers).await?;
    count(app, call, &account.id, class).await?;
    Ok((account, key_id))
}

/// The account whose holder asks for what privacy law gives them; it need not be served. Counts as
/// [`authenticate`] does.
pub async fn authenticate_holder(app: &App, call: &Call, class: Class) -> Result<Account, Error> {
    let key = real_key(call)?;
    let peppers = app.secrets.get().await?.pepper;
    let (account, _) = app.gate.identify_holder(&key, &peppers).await?;
    count(app, call, &account.id, class).await?;
    Ok(account)
}

/// Counts the call against the account's limit, once its key is known: nobody else can use it up.
async fn count(app: &App, call: &Call, account: &AccountId, class: Class) -> Result<(), Error> {
    let window = app.gate.admit_unmetered(account, class, call.now()).await?;
    call.note(class, window);
    Ok(())
}
