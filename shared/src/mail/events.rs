//! What SES tells of mails that were sent: those that came back for good, and those called spam. It tells at least
//! once, and in any order (docs.aws.amazon.com/ses, "Monitoring SES events using Amazon EventBridge").

use std::collections::BTreeMap;

use serde::Deserialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    Kind,
    stops::{MailStop, Why, put},
};
use crate::{
    accounts::{self, Account, EmailAddress, Status},
    app::App,
    billing::task::{self, OPERATOR, Sign, Task, Work},
    error::Error,
    privacy::{self, Act, Notice, note},
    telemetry::{self, Metric},
};

/// An event of EventBridge's, as far as it is read.
#[derive(Clone, Debug, Deserialize)]
pub struct MailEvent {
    detail: Detail,
}

#[derive(Clone, Debug, Deserialize)]
struct Detail {
    mail: Sent,
    bounce: Option<Bounce>,
    complaint: Option<Complaint>,
}

/// The mail that it is about.
#[derive(Clone, Deserialize)]
struct Sent {
    timestamp: String,
    /// Whom it was sent to. What a bounce says of recipients may name whom it was forwarded to.
    destination: Vec<String>,
    #[serde(default)]
    tags: BTreeMap<String, Vec<String>>,
}

impl std::fmt::Debug for Sent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sent").field("timestamp", &self.timestamp).finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bounce {
    bounce_type: String,
    #[serde(default)]
    bounce_sub_type: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Complaint {
    timestamp: String,
    #[serde(default)]
    complaint_feedback_type: Option<String>,
}

/// What a batch came to, for the alarms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    bounced: u64,
    complained: u64,
    undelivered: u64,
}

impl Bounce {
    /// SES's reason.
    fn name(&self) -> String {
        format!("{}/{}", self.bounce_type, self.bounce_sub_type)
    }

    /// Whether it is, as a rule, an automatic reply ("out of the office"): then the mail has arrived.
    fn is_reply(&self) -> bool {
        (self.bounce_type.as_str(), self.bounce_sub_type.as_str()) == ("Transient", "General")
    }
}

impl Detail {
    /// What it says of the address; `None`: nothing that lasts (a full mailbox, or mail that is no spam after all). The
    /// mail itself is lost, as SES tells of a bounce only after it has given up, but for an automatic reply.
    fn stop(&self) -> Result<Option<MailStop>, Error> {
        let stop = match (&self.bounce, &self.complaint) {
            (Some(bounce), _) if bounce.bounce_type == "Permanent" => {
                // What was confirmed after it was sent is right all the same.
                Some((Why::Bounce, &self.mail.timestamp))
            }
            // Who complains may have confirmed the address before.
            (None, Some(complaint)) => {
                let is_spam = complaint.complaint_feedback_type.as_deref() != Some("not-spam");
                is_spam.then_some((Why::Complaint, &complaint.timestamp))
            }
            _ => None,
        };
        stop.map(|(why, at)| Ok(MailStop { why, at: seconds(at)? })).transpose()
    }

    fn tag(&self, name: &str) -> Option<&str> {
        self.mail.tags.get(name)?.first().map(String::as_str)
    }

    fn kind(&self) -> Option<Kind> {
        let name = self.tag("kind")?;
        Kind::ALL.into_iter().find(|it| it.name() == name)
    }

    fn address(&self) -> Result<EmailAddress, Error> {
        let [address] = &self.mail.destination[..] else {
            return Err(Error::internal("a mail of ours has one recipient"));
        };
        // The error names no address.
        EmailAddress::parse(address)
            .map_err(|_| Error::internal("a mail's recipient is not an address"))
    }
}

fn seconds(timestamp: &str) -> Result<i64, Error> {
    let at = OffsetDateTime::parse(timestamp, &Rfc3339).map_err(Error::internal)?;
    Ok(at.unix_timestamp())
}

/// Handles `events`; returns the places of those that must come again. Handling one again changes nothing.
///
/// While a backup is being restored all come again: what is noted in the tables then may be put aside with them. After
/// eight tries, which are over in 24 minutes, they lie in the dead-letter queue, for 14 days: an alarm tells the operator,
/// and the restore's procedure says to start a redrive.
pub async fn handle(app: &App, events: Vec<MailEvent>, now: OffsetDateTime) -> Vec<usize> {
    match privacy::is_closed(&app.store).await {
        Ok(false) => {}
        Ok(true) => return (0..events.len()).collect(),
        Err(error) => {
            tracing::warn!(error = %error, "whether a backup is being restored is not known");
            return (0..events.len()).collect();
        }
    }
    let (mut again, mut counts) = (Vec::new(), Counts::default());
    for (place, event) in events.iter().enumerate() {
        if let Err(error) = handle_one(app, &event.detail, &mut counts, now).await {
            // Nobody is named by it.
            tracing::warn!(error = %error, "what SES tells of a mail must come again");
            again.push(place);
        }
    }
    let metrics = [
        Metric::count("MailsBounced", counts.bounced),
        Metric::count("MailsComplained", counts.complained),
        Metric::count("MailsUndelivered", counts.undelivered),
    ];
    telemetry::metrics(now.unix_timestamp() * 1000, "process-mail-events", &metrics);
    again
}

async fn handle_one(
    app: &App,
    detail: &Detail,
    counts: &mut Counts,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let stop = detail.stop()?;
    if stop.is_none() && detail.bounce.is_none() {
        return Ok(());
    }
    let email = detail.address()?;
    let peppers = app.secrets.get().await?.pepper;
    let owner = accounts::owner(&app.store, &email, peppers.all()).await?;
    let account = match &owner {
        Some(id) => accounts::get(&app.store, id).await?,
        None => None,
    };
    if let Some(bounce) = &detail.bounce {
        let is_told = tell_operator(app, detail, bounce, account.as_ref(), now).await?;
        counts.undelivered += u64::from(is_told);
    }
    let Some(stop) = stop else { return Ok(()) };
    match stop.why {
        Why::Bounce => counts.bounced += 1,
        Why::Complaint => counts.complained += 1,
    }
    // Confirmed since: a token has come through.
    if let Some(account) = account
        && !accounts::stop_mail(&app.store, &account.id, stop, now).await?
    {
        return Ok(());
    }
    put(&app.store, &peppers.current, &email, stop, now).await
}

/// Tells the operator of a mail that the law demands and that did not arrive; whether there is something to look at,
/// where it waits or in the log.
async fn tell_operator(
    app: &App,
    detail: &Detail,
    bounce: &Bounce,
    account: Option<&Account>,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    let Some(kind @ (Kind::Receipt | Kind::Certificate | Kind::ObjectionAnswer)) = detail.kind()
    else {
        return Ok(false);
    };
    let (about, at) = (detail.tag("about"), seconds(&detail.mail.timestamp)?);
    if bounce.is_reply() {
        let (kind, about) = (kind.name(), about.unwrap_or_default());
        let bounce = bounce.name();
        tracing::info!(kind, about, bounce, "a mail was answered, as a rule automatically");
        return Ok(false);
    }
    // An account that was opened since has got the address of another one; of one that is being erased no task may
    // be left.
    let account = account.filter(|it| it.created_at <= at && it.status != Status::Erasing);
    let notice = match (kind, about, account) {
        (Kind::Receipt, Some(about), Some(account)) => {
            let work = Work::Flag { sign: Sign::Undelivered, detail: about.to_owned() };
            let name = format!("flag#undelivered#{about}");
            let flag = Task::new(&account.id, name, work, OPERATOR, now);
            match task::put_or_find(&app.store, &flag).await? {
                Some(found) if found.queue.is_none() => Notice::Seen,
                _ => {
                    let act = Act::Undelivered { flag: Box::new(flag) };
                    note(&app.store, &account.id, act, now).await?;
                    Notice::Waits
                }
            }
        }
        (Kind::Certificate | Kind::ObjectionAnswer, Some(about), _) => {
            privacy::note_undelivered(&app.store, about, at).await?
        }
        _ => Notice::None,
    };
    let (kind, about) = (kind.name(), about.unwrap_or_default());
    let bounce = bounce.name();
    match notice {
        Notice::Waits => tracing::warn!(kind, about, bounce, "a mail did not arrive"),
        Notice::Seen => {}
        Notice::None => {
            tracing::error!(
                kind,
                about,
                bounce,
                "a mail did not arrive, and only this line says so"
            );
        }
    }
    Ok(notice != Notice::Seen)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event(detail: &Value) -> MailEvent {
        let mut event: Value =
            serde_json::from_str(include_str!("../../../events/process-mail-events.json"))
                .expect("JSON");
        let body = event["Records"][0]["body"].take();
        let mut body: Value = serde_json::from_str(body.as_str().expect("a text")).expect("JSON");
        let all = detail.as_object().expect("an object").clone();
        body["detail"].as_object_mut().expect("an object").extend(all);
        serde_json::from_value(body).expect("an event")
    }

    #[test]
    fn only_what_lasts_stops_an_address() {
        let sent = "2026-11-24T11:59:00.000Z";
        let told = "2026-11-24T12:00:00.000Z";
        let bounce = |kind: &str| json!({ "bounce": { "bounceType": kind, "timestamp": told } });
        let complaint = |kind: Value| {
            let complaint = json!({ "timestamp": told, "complaintFeedbackType": kind });
            json!({ "bounce": null, "complaint": complaint })
        };
        let (at, later) = (seconds(sent).expect("a time"), seconds(told).expect("a time"));
        for (detail, expected) in [
            (bounce("Permanent"), Some((Why::Bounce, at))),
            (bounce("Transient"), None),
            (bounce("Undetermined"), None),
            (complaint(json!("abuse")), Some((Why::Complaint, later))),
            (complaint(Value::Null), Some((Why::Complaint, later))),
            (complaint(json!("not-spam")), None),
            (json!({ "bounce": null }), None),
        ] {
            let stop = event(&detail).detail.stop().expect("a time");
            assert_eq!(stop.map(|it| (it.why, it.at)), expected, "{detail}");
        }
    }

    #[test]
    fn the_recipient_is_whom_we_wrote_to_and_is_printed_nowhere() {
        let event = event(&json!({}));
        assert_eq!(event.detail.address().expect("one").expose(), "bounce@simulator.amazonses.com");
        assert_eq!(event.detail.kind(), Some(Kind::Receipt));
        assert!(!format!("{event:?}").contains("simulator"));
        let two =
            json!({ "mail": { "timestamp": "2026-11-24T11:59:00Z", "destination": ["a", "b"] } });
        assert!(self::event(&two).detail.address().is_err());
    }
}
