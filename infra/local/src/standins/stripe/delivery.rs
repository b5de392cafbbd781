//! Webhooks: events signed and sent, again where they are not taken, and out of order on demand.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use http::Method;
use stripe_webhook::Webhook;
use tokio::{
    sync::Notify,
    task::AbortHandle,
    time::{Instant, sleep_until, timeout},
};

use super::{
    Stripe,
    events::Event,
    fault::Random,
    lifecycle,
    state::{Object, State},
};
use crate::http::Client;

/// How often an event is sent before it is given up.
const MAX_TRIES: u32 = 16;

/// Real time between two tries. Stripe's own pauses grow to hours.
const PAUSE: Duration = Duration::from_millis(100);

/// Longest wait for an answer.
const LIMIT: Duration = Duration::from_secs(20);

/// How many events are on the way at once when their order does not matter.
const LANES: usize = 8;

/// The events that the local cloud's endpoint is sent: those that docs/OPERATIONS.md names.
pub const ENDPOINT_EVENTS: [&str; 34] = [
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.dispute.funds_reinstated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.updated",
    "charge.failed",
    "charge.refunded",
    "charge.succeeded",
    "charge.updated",
    "checkout.session.async_payment_failed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.completed",
    "credit_note.created",
    "credit_note.updated",
    "credit_note.voided",
    "customer.created",
    "customer.deleted",
    "customer.subscription.created",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.pending_update_applied",
    "customer.subscription.pending_update_expired",
    "customer.subscription.resumed",
    "customer.subscription.updated",
    "invoice.finalized",
    "invoice.marked_uncollectible",
    "invoice.paid",
    "invoice.payment_action_required",
    "invoice.payment_failed",
    "invoice.updated",
    "invoice.voided",
    "refund.created",
    "refund.failed",
    "refund.updated",
];

/// Where events are sent, and how badly.
#[derive(Clone, Debug, Default)]
pub struct Webhooks {
    /// Where to. `None`: events wait for [`Stripe::take_events`].
    pub url: Option<String>,
    /// Which are sent; `None`: all of them.
    pub events: Option<Vec<String>>,
    /// What they are signed with: two of them while a secret is replaced.
    pub secrets: Vec<String>,
    /// How many more times each event is sent.
    pub duplicates: u32,
    /// Events are sent in an order that follows from this seed, several at once.
    pub reorder: Option<u64>,
    /// Real time from an event to its being sent.
    pub delay: Duration,
}

impl Webhooks {
    /// Whether events of this type are sent anywhere.
    fn wants(&self, kind: &str) -> bool {
        let is_named = |all: &Vec<String>| all.iter().any(|it| it == kind);
        self.url.is_some() && self.events.as_ref().is_none_or(is_named)
    }
}

/// An event as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventView {
    /// The event's id.
    pub id: String,
    /// Its type.
    pub kind: String,
    /// When it happened, Unix seconds.
    pub created: i64,
    /// The body of the webhook.
    pub payload: String,
}

/// Where events wait to be sent.
#[derive(Debug, Default)]
pub(super) struct Office {
    desk: Mutex<Desk>,
    /// There may be something to do.
    work: Notify,
    /// There may be nothing left to do.
    rest: Notify,
}

#[derive(Debug, Default)]
struct Desk {
    settings: Webhooks,
    random: Random,
    waiting: Vec<Parcel>,
    on_the_way: usize,
    /// How often each event was sent in vain; gone once it is taken.
    tries: BTreeMap<String, u32>,
    given_up: Vec<String>,
}

#[derive(Clone, Debug)]
struct Parcel {
    event: String,
    ready_at: Instant,
}

enum Next {
    Send(Parcel, Webhooks),
    At(Instant),
    Nothing,
}

impl Office {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Takes events that have just happened.
    pub(super) fn take_in(&self, events: Vec<String>) {
        if events.is_empty() {
            return;
        }
        let mut desk = self.desk();
        let copies = if desk.settings.url.is_some() { desk.settings.duplicates + 1 } else { 1 };
        let ready_at = Instant::now() + desk.settings.delay;
        for event in events {
            for _ in 0..copies {
                desk.waiting.push(Parcel { event: event.clone(), ready_at });
            }
        }
        drop(desk);
        self.work.notify_waiters();
    }
}

impl Desk {
    fn next(&mut self, lane: usize) -> Next {
        if self.settings.url.is_none() || (lane > 0 && self.settings.reorder.is_none()) {
            return Next::Nothing;
        }
        let now = Instant::now();
        let ready: Vec<usize> =
            (0..self.waiting.len()).filter(|at| self.waiting[*at].ready_at <= now).collect();
        let Some(first) = ready.first().copied() else {
            let soonest = self.waiting.iter().map(|it| it.ready_at).min();
            return soonest.map_or(Next::Nothing, Next::At);
        };
        let at = match self.settings.reorder {
            None => first,
            Some(_) => {
                let end = u64::try_from(ready.len()).unwrap_or(1);
                let pick = usize::try_from(self.random.below(end)).unwrap_or_default();
                ready.get(pick).copied().unwrap_or(first)
            }
        };
        self.on_the_way += 1;
        Next::Send(self.waiting.remove(at), self.settings.clone())
    }

    /// Notes what became of a parcel; one not taken waits for another try, or is given up.
    fn done(&mut self, parcel: Parcel, is_taken: bool) {
        self.on_the_way -= 1;
        if is_taken {
            self.tries.remove(&parcel.event);
            return;
        }
        let tries = self.tries.entry(parcel.event.clone()).or_default();
        *tries += 1;
        if *tries >= MAX_TRIES {
            self.given_up.push(parcel.event);
        } else {
            self.waiting.push(Parcel { ready_at: Instant::now() + PAUSE, ..parcel });
        }
    }
}

impl Stripe {
    /// Sets where events are sent and how. Those that wait are sent then, too.
    pub fn set_webhooks(&self, settings: Webhooks) {
        self.state().hears_of_drafts = settings.wants("invoice.created");
        let mut desk = self.0.office.desk();
        if let Some(seed) = settings.reorder {
            desk.random = Random(seed);
        }
        desk.settings = settings;
        drop(desk);
        self.0.office.work.notify_waiters();
        self.0.office.rest.notify_waiters();
    }

    /// How events are sent at the moment.
    pub fn webhooks(&self) -> Webhooks {
        self.0.office.desk().settings.clone()
    }

    /// The events that wait, oldest first; they are not sent any more.
    pub fn take_events(&self) -> Vec<EventView> {
        let waiting = std::mem::take(&mut self.0.office.desk().waiting);
        let state = self.state();
        waiting.into_iter().filter_map(|it| view(&state, &it.event)).collect()
    }

    /// Every event so far, oldest first, as it would be sent.
    pub fn events(&self) -> Vec<EventView> {
        let state = self.state();
        let ids: Vec<_> = state.events.iter().map(|it| it.id.clone()).collect();
        ids.iter().filter_map(|id| view(&state, id)).collect()
    }

    /// The events that were sent in vain to the last.
    pub fn given_up(&self) -> Vec<EventView> {
        let given_up = self.0.office.desk().given_up.clone();
        let state = self.state();
        given_up.iter().filter_map(|id| view(&state, id)).collect()
    }

    /// Sends an event once more, as the button in Stripe's dashboard does.
    pub fn resend(&self, event: &str) {
        self.0.office.take_in(vec![event.to_owned()]);
    }

    /// Sends at once what waits for another try.
    pub fn deliver_pending(&self) {
        let now = Instant::now();
        self.0.office.desk().waiting.iter_mut().for_each(|it| it.ready_at = now);
        self.0.office.work.notify_waiters();
    }

    /// Waits until every event has been taken or given up; not at all where none are sent.
    pub async fn settled(&self) {
        loop {
            let rest = self.0.office.rest.notified();
            tokio::pin!(rest);
            rest.as_mut().enable();
            {
                let desk = self.0.office.desk();
                let is_off = desk.settings.url.is_none();
                if desk.on_the_way == 0 && (is_off || desk.waiting.is_empty()) {
                    return;
                }
            }
            rest.await;
        }
    }

    /// The `Stripe-Signature` of a payload, as of now.
    pub fn sign(&self, payload: &str, secrets: &[String]) -> String {
        signature(payload, secrets, self.0.clock.now().unix_timestamp())
    }

    /// Sends events until aborted.
    pub fn start(&self) -> AbortHandle {
        let stripe = self.clone();
        let task = tokio::spawn(async move {
            futures_util::future::join_all((0..LANES).map(|lane| stripe.deliver(lane))).await;
        });
        task.abort_handle()
    }

    async fn deliver(&self, lane: usize) {
        let office = &self.0.office;
        loop {
            let work = office.work.notified();
            tokio::pin!(work);
            work.as_mut().enable();
            let next = office.desk().next(lane);
            match next {
                Next::Nothing => work.await,
                Next::At(instant) => {
                    tokio::select! {
                        () = work => {}
                        () = sleep_until(instant) => {}
                    }
                }
                Next::Send(parcel, settings) => {
                    let event = self.state().events.get(&parcel.event).cloned();
                    let is_wanted = event.as_ref().is_some_and(|it| settings.wants(&it.kind));
                    let is_taken = !is_wanted || self.send(&parcel.event, &settings).await;
                    if is_taken {
                        self.state().edit::<Event>(&parcel.event, |it| it.is_pending = false);
                    }
                    let draft = event.filter(|it| it.kind == "invoice.created");
                    if let Some(draft) = draft.filter(|_| is_wanted && is_taken)
                        && let Some(invoice) = draft.data["object"]["id"].as_str()
                    {
                        self.with(|state| lifecycle::draft_is_heard_of(state, invoice));
                    }
                    office.desk().done(parcel, is_taken);
                    office.work.notify_waiters();
                    office.rest.notify_waiters();
                }
            }
        }
    }

    async fn send(&self, event: &str, settings: &Webhooks) -> bool {
        let (Some(url), Some(event)) = (&settings.url, view(&self.state(), event)) else {
            return true;
        };
        let client = Client::new(url);
        let exchange = client
            .request(Method::POST, "")
            .header("stripe-signature", &self.sign(&event.payload, &settings.secrets))
            .header("user-agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)")
            .body("application/json; charset=utf-8", event.payload)
            .send();
        match timeout(LIMIT, exchange).await {
            Ok(Ok(answer)) => answer.status.is_success(),
            Ok(Err(_)) | Err(_) => false,
        }
    }
}

fn view(state: &State, id: &str) -> Option<EventView> {
    let event = state.events.get(id)?;
    Some(EventView {
        id: event.id.clone(),
        kind: event.kind.clone(),
        created: event.created,
        payload: event.render(state).to_string(),
    })
}

fn signature(payload: &str, secrets: &[String], at: i64) -> String {
    let mut header = format!("t={at}");
    for secret in secrets {
        let signed = Webhook::generate_test_header(payload, secret, Some(at));
        if let Some((_, scheme)) = signed.split_once(',') {
            header.push(',');
            header.push_str(scheme);
        }
    }
    header
}
