//! SES, version 1: takes mails over the query protocol and keeps them for the mailbox page.

mod message;
mod protocol;

use std::{
    collections::BTreeSet,
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

pub use self::message::Mail;
use self::{
    message::address_of,
    protocol::{Form, Refusal},
};
use super::{ACCOUNT, Fault, REGION};
use crate::{access::Access, clock::Clock};

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
    identities: BTreeSet<String>,
    fault: Fault,
}

impl Ses {
    /// Nothing sent yet; [`VERIFIED_DOMAIN`] is verified.
    pub fn new(clock: Clock, access: Access) -> Self {
        let sent = Sent {
            mails: Vec::new(),
            identities: BTreeSet::from([VERIFIED_DOMAIN.to_owned()]),
            fault: Fault::None,
        };
        Self { clock, access, state: Arc::new(Mutex::new(sent)) }
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
                self.check(headers, "VerifyEmailIdentity", "*")?;
                // The real service waits until a link in a mail is followed.
                self.state().identities.insert(address.to_lowercase());
                Ok(html! {})
            }
            "GetSendQuota" => {
                self.check(headers, "GetSendQuota", "*")?;
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
        let identity = self.identity(&sender);
        // IAM has its say before SES looks at anything.
        let resource = identity.as_deref().unwrap_or(domain_of(&sender));
        let resource = format!("arn:aws:ses:{REGION}:{ACCOUNT}:identity/{resource}");
        self.check(headers, action, &resource)?;
        if identity.is_none() {
            return Err(Refusal::sender(
                "MessageRejected",
                &format!(
                    "Email address is not verified. The following identities failed the check in \
                     region {}: {sender}",
                    REGION.to_uppercase()
                ),
            ));
        }
        if mail.to.is_empty() {
            return Err(Refusal::missing("destination"));
        }
        if mail.to.len() > MAX_RECIPIENTS {
            let message = format!("Recipient count exceeds {MAX_RECIPIENTS}.");
            return Err(Refusal::sender("InvalidParameterValue", &message));
        }
        for recipient in &mail.to {
            address_of(recipient)?;
        }
        let mut state = self.state();
        mail.id = format!("{:016x}-mail", state.mails.len() + 1);
        mail.sent_at = self.clock.now();
        let id = mail.id.clone();
        state.mails.push(mail);
        Ok(html! { MessageId { (id) } })
    }

    /// The verified identity that `sender` may use: its address, else its domain or one above.
    fn identity(&self, sender: &str) -> Option<String> {
        let state = self.state();
        let domains = std::iter::successors(Some(domain_of(sender)), |domain| {
            domain.split_once('.').map(|(_, above)| above)
        });
        std::iter::once(sender)
            .chain(domains)
            .find(|identity| state.identities.contains(*identity))
            .map(str::to_owned)
    }

    fn check(&self, headers: &HeaderMap, action: &str, resource: &str) -> Result<(), Refusal> {
        self.access
            .check(headers, &format!("ses:{action}"), resource)
            .map_err(|denied| Refusal::denied(&denied.0))
    }
}

fn domain_of(address: &str) -> &str {
    address.rsplit_once('@').map_or("", |(_, domain)| domain)
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
