//! SES, version 1: takes mails over the query protocol and keeps them for the mailbox page.

mod fate;
mod identity;
mod message;
mod protocol;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    response::Response,
    routing::post,
};
use http::HeaderMap;
use maud::html;
use time::Duration;

pub use self::{fate::Fate, message::Mail};
use self::{
    identity::Account,
    message::address_of,
    protocol::{Form, Refusal},
};
use super::{ACCOUNT, Fault, REGION, events::Bus};
use crate::{access::Access, clock::Clock, template::ConfigurationSets};

/// The domain that may send from the start.
pub const VERIFIED_DOMAIN: &str = "example.com";

/// A message in the query protocol is base64 in a form: a third and more above SES's own 10 MB.
const MAX_REQUEST: usize = 16 << 20;

const MAX_RECIPIENTS: usize = 50;

/// Mails a day that the quota allows.
const MAX_24_HOURS: f64 = 50_000.0;

/// The stand-in. Clones share one mailbox.
#[derive(Clone, Debug)]
pub struct Ses {
    clock: Clock,
    access: Access,
    state: Arc<Mutex<Sent>>,
}

#[derive(Debug)]
struct Sent {
    mails: Vec<Mail>,
    account: Account,
    fates: BTreeMap<String, Fate>,
    bus: Option<Bus>,
    fault: Fault,
}

impl Ses {
    /// Nothing sent yet; [`VERIFIED_DOMAIN`] is verified, and the account is out of the sandbox.
    pub fn new(clock: Clock, access: Access) -> Self {
        let mut account = Account::default();
        account.verify(VERIFIED_DOMAIN);
        let sent = Sent {
            mails: Vec::new(),
            account,
            fates: BTreeMap::new(),
            bus: None,
            fault: Fault::None,
        };
        Self { clock, access, state: Arc::new(Mutex::new(sent)) }
    }

    /// Publishes to `bus` what these configuration sets say.
    pub(crate) fn publish_to(&self, bus: Bus, sets: ConfigurationSets) {
        let mut state = self.state();
        state.account.add_sets(sets);
        state.bus = Some(bus);
    }

    /// Puts the account into the sandbox, as every new one is: it may send to verified identities only.
    pub fn sandbox(&self, is_sandbox: bool) {
        self.state().account.is_sandbox = is_sandbox;
    }

    /// Verifies an address or a domain.
    pub fn verify(&self, identity: &str) {
        self.state().account.verify(identity);
    }

    /// Makes `set` the configuration set of every mail from `identity` that names none.
    pub fn set_default(&self, identity: &str, set: &str) {
        self.state().account.set_default(identity, set);
    }

    /// What becomes of mails to `address` from now on.
    pub fn fate(&self, address: &str, fate: Fate) {
        self.state().fates.insert(address.to_lowercase(), fate);
    }

    /// Tells now, of a mail that was sent before, what has become of it.
    pub fn report(&self, id: &str, fate: Fate) {
        if let Some(mail) = self.mail(id) {
            self.tell(&mail, Some(fate));
        }
    }

    /// Every mail sent so far, oldest first.
    pub fn mails(&self) -> Vec<Mail> {
        self.state().mails.clone()
    }

    /// One mail by its id.
    pub fn mail(&self, id: &str) -> Option<Mail> {
        self.state().mails.iter().find(|mail| mail.id == id).cloned()
    }

    /// Makes every call from now on fail, or none.
    pub fn fault(&self, fault: Fault) {
        self.state().fault = fault;
    }

    /// The service's one endpoint.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/", post(answer))
            .layer(DefaultBodyLimit::max(MAX_REQUEST))
            .with_state(self.clone())
    }

    fn state(&self) -> MutexGuard<'_, Sent> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn call(&self, headers: &HeaderMap, form: &Form) -> Result<maud::Markup, Refusal> {
        match self.state().fault {
            Fault::None => {}
            Fault::Throttle => {
                return Err(Refusal::sender("Throttling", "Maximum sending rate exceeded."));
            }
            Fault::Down => return Err(Refusal::unavailable()),
        }
        match form.get("Action").unwrap_or_default() {
            "SendEmail" => self.send(headers, "SendEmail", message::simple(form)?),
            "SendRawEmail" => self.send(headers, "SendRawEmail", message::raw(form)?),
            "VerifyEmailIdentity" => {
                let address = address_of(form.required("EmailAddress")?)?;
                self.check(headers, "VerifyEmailIdentity", "*", "")?;
                // The real service waits until a link in a mail is followed.
                self.verify(&address);
                Ok(html! {})
            }
            "GetSendQuota" => {
                self.check(headers, "GetSendQuota", "*", "")?;
                let since = self.clock.now() - Duration::days(1);
                let sent = self.state().mails.iter().filter(|mail| mail.sent_at > since).count();
                Ok(html! {
                    Max24HourSend { (MAX_24_HOURS) }
                    MaxSendRate { "14.0" }
                    SentLast24Hours { (sent) ".0" }
                })
            }
            "" => Err(Refusal::sender("MissingAction", "The request names no action.")),
            other => Err(Refusal::sender("InvalidAction", &format!("There is no action {other}."))),
        }
    }

    fn send(
        &self,
        headers: &HeaderMap,
        action: &str,
        mut mail: Mail,
    ) -> Result<maud::Markup, Refusal> {
        let sender = address_of(&mail.from)?.to_lowercase();
        let mut recipients = Vec::new();
        for recipient in &mail.to {
            recipients.push(address_of(recipient)?.to_lowercase());
        }
        let (resources, failing) = {
            let state = self.state();
            mail.configuration_set =
                state.account.set_of(mail.configuration_set.as_deref(), &sender);
            let set = mail.configuration_set.as_deref();
            let failing = state.account.unverified(&sender, &recipients).join(", ");
            (state.account.resources(&sender, set, &recipients), failing)
        };
        // IAM has its say before SES looks at anything.
        for resource in resources {
            let resource = format!("arn:aws:ses:{REGION}:{ACCOUNT}:{resource}");
            self.check(headers, action, &resource, &sender)?;
        }
        if !failing.is_empty() {
            return Err(Refusal::sender(
                "MessageRejected",
                &format!(
                    "Email address is not verified. The following identities failed the check in \
                     region {}: {failing}",
                    REGION.to_uppercase()
                ),
            ));
        }
        if let Some(set) = &mail.configuration_set
            && !self.state().account.has_set(set)
        {
            let message = format!("Configuration set <{set}> does not exist.");
            return Err(Refusal::sender("ConfigurationSetDoesNotExist", &message));
        }
        if mail.to.is_empty() {
            return Err(Refusal::missing("destination"));
        }
        if mail.to.len() > MAX_RECIPIENTS {
            let message = format!("Recipient count exceeds {MAX_RECIPIENTS}.");
            return Err(Refusal::sender("InvalidParameterValue", &message));
        }
        let mail = {
            let mut state = self.state();
            mail.id = format!("{:016x}-mail", state.mails.len() + 1);
            mail.sent_at = self.clock.now();
            state.mails.push(mail.clone());
            mail
        };
        self.tell(&mail, None);
        Ok(html! { MessageId { (mail.id) } })
    }

    /// Publishes what has become of a mail: `fate`, or of each recipient what is set for it.
    fn tell(&self, mail: &Mail, fate: Option<Fate>) {
        let Some(set) = &mail.configuration_set else { return };
        for recipient in mail.to.iter().filter_map(|it| address_of(it).ok()) {
            let (fate, bus) = {
                let state = self.state();
                let known = || state.fates.get(&recipient.to_lowercase()).copied();
                let fate = fate.or_else(known).or_else(|| Fate::simulated(&recipient));
                let fate = fate.unwrap_or_default();
                let wanted = |(kind, _)| state.account.publishes(set, kind);
                if !fate.event().is_some_and(wanted) {
                    continue;
                }
                (fate, state.bus.clone())
            };
            if let (Some(bus), Some((_, kind))) = (bus, fate.event()) {
                let about = [format!("arn:aws:ses:{REGION}:{ACCOUNT}:configuration-set/{set}")];
                let detail = fate.detail(mail, &recipient, self.clock.now());
                bus.publish("aws.ses", kind, &about, detail);
            }
        }
    }

    fn check(
        &self,
        headers: &HeaderMap,
        action: &str,
        resource: &str,
        sender: &str,
    ) -> Result<(), Refusal> {
        let facts = [("ses:FromAddress", sender)];
        let facts = if sender.is_empty() { &[] } else { &facts[..] };
        self.access
            .check_with(headers, &format!("ses:{action}"), resource, facts)
            .map_err(|denied| Refusal::denied(&denied.0))
    }
}

fn domain_of(address: &str) -> &str {
    address.rsplit_once('@').map_or("", |(_, domain)| domain.trim_end_matches('>'))
}

async fn answer(State(ses): State<Ses>, headers: HeaderMap, body: Bytes) -> Response {
    let form = Form::parse(&body);
    let action = form.get("Action").unwrap_or_default();
    match ses.call(&headers, &form) {
        Ok(result) => protocol::answer(action, &result),
        Err(refusal) => refusal.answer(),
    }
}

#[cfg(test)]
mod tests;
