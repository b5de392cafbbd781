//! What becomes of a mail that was taken, and how SES tells of it: as in its developer guide, "Examples of event
//! data" and "Monitoring SES events using Amazon EventBridge".

use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

use super::Mail;
use crate::standins::{ACCOUNT, REGION};

/// What becomes of a mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// It arrives.
    #[default]
    Arrives,
    /// There is no such mailbox.
    HardBounce,
    /// The mailbox is full; SES has tried for long enough.
    SoftBounce,
    /// It is larger than the mailbox takes.
    TooLarge,
    /// The recipient's server does not take what is in it.
    ContentRejected,
    /// The recipient's server does not take what is attached.
    AttachmentRejected,
    /// The recipient's server has refused it for now until SES gave up, or an automatic reply has come ("out of the
    /// office"): SES tells of both in the same way.
    GeneralBounce,
    /// It came back, and nobody can say why.
    Undetermined,
    /// The address is on a suppression list: SES has not even tried.
    Suppressed,
    /// It arrives, and the reader calls it spam.
    Complaint,
    /// It arrives among the spam, and the reader says that it is none.
    NotSpam,
}

/// Domain of the mailbox simulator: one may always send there.
pub(super) const SIMULATOR: &str = "simulator.amazonses.com";

impl Fate {
    /// Of a mail to an address of the mailbox simulator, with or without a label.
    pub(super) fn simulated(address: &str) -> Option<Self> {
        let (local, domain) = address.rsplit_once('@')?;
        let name = local.split('+').next().unwrap_or(local);
        (domain == SIMULATOR).then_some(match name {
            "bounce" => Self::HardBounce,
            "complaint" => Self::Complaint,
            "suppressionlist" => Self::Suppressed,
            "ooto" => Self::GeneralBounce,
            _ => Self::Arrives,
        })
    }

    /// Name of its event where a configuration set chooses events, and what EventBridge calls it; `None`: there
    /// is nothing that anybody is told of.
    pub(super) fn event(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Arrives => None,
            Self::HardBounce
            | Self::SoftBounce
            | Self::TooLarge
            | Self::ContentRejected
            | Self::AttachmentRejected
            | Self::GeneralBounce
            | Self::Undetermined
            | Self::Suppressed => Some(("bounce", "Email Bounced")),
            Self::Complaint | Self::NotSpam => Some(("complaint", "Email Complaint Received")),
        }
    }

    fn bounce(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::SoftBounce => {
                ("Transient", "MailboxFull", "5.2.2", "smtp; 552 5.2.2 mailbox full")
            }
            Self::TooLarge => {
                ("Transient", "MessageTooLarge", "5.3.4", "smtp; 552 5.3.4 message too big")
            }
            Self::ContentRejected => {
                ("Transient", "ContentRejected", "5.6.0", "smtp; 554 5.6.0 content rejected")
            }
            Self::AttachmentRejected => {
                ("Transient", "AttachmentRejected", "5.6.1", "smtp; 552 5.6.1 attachment rejected")
            }
            Self::GeneralBounce => ("Transient", "General", "4.0.0", ""),
            Self::Undetermined => ("Undetermined", "Undetermined", "5.0.0", ""),
            Self::Suppressed => (
                "Permanent",
                "Suppressed",
                "5.1.1",
                "Amazon SES has suppressed sending to this address because it has a recent history of bouncing",
            ),
            _ => ("Permanent", "General", "5.1.1", "smtp; 550 5.1.1 user unknown"),
        }
    }

    /// The event's `detail` about `mail`, which did not arrive at `recipient`, or is complained about, at `at`.
    pub(super) fn detail(self, mail: &Mail, recipient: &str, at: OffsetDateTime) -> Value {
        let feedback = format!("{}-feedback", mail.id);
        let mut detail = json!({ "mail": described(mail) });
        if matches!(self, Self::Complaint | Self::NotSpam) {
            let kind = if self == Self::Complaint { "abuse" } else { "not-spam" };
            detail["eventType"] = "Complaint".into();
            detail["complaint"] = json!({
                "complainedRecipients": [{ "emailAddress": recipient }],
                "timestamp": milliseconds(at),
                "feedbackId": feedback,
                "userAgent": "AnyCompany Feedback Loop (V0.01)",
                "complaintFeedbackType": kind,
                "arrivalDate": milliseconds(at),
            });
            return detail;
        }
        let (kind, sub_kind, status, diagnosis) = self.bounce();
        detail["eventType"] = "Bounce".into();
        detail["bounce"] = json!({
            "bounceType": kind,
            "bounceSubType": sub_kind,
            "bouncedRecipients": [{
                "emailAddress": recipient,
                "action": "failed",
                "status": status,
                "diagnosticCode": diagnosis,
            }],
            "timestamp": milliseconds(at),
            "feedbackId": feedback,
            "reportingMTA": "dns; amazonses.com",
        });
        detail
    }
}

fn described(mail: &Mail) -> Value {
    let mut tags = json!({
        "ses:configuration-set": [mail.configuration_set.as_deref().unwrap_or_default()],
        "ses:from-domain": [super::domain_of(&mail.from)],
        "ses:caller-identity": ["local"],
    });
    for (name, value) in &mail.tags {
        tags[name] = json!([value]);
    }
    json!({
        "timestamp": milliseconds(mail.sent_at),
        "source": mail.from,
        "sourceArn": format!("arn:aws:ses:{REGION}:{ACCOUNT}:identity/{}", super::domain_of(&mail.from)),
        "sendingAccountId": ACCOUNT,
        "messageId": mail.id,
        "destination": mail.to,
        "headersTruncated": false,
        "headers": [
            { "name": "From", "value": mail.from },
            { "name": "To", "value": mail.to.join(", ") },
            { "name": "Subject", "value": mail.subject },
        ],
        "commonHeaders": { "from": [mail.from], "to": mail.to, "subject": mail.subject },
        "tags": tags,
    })
}

/// RFC 3339 with milliseconds, as SES writes it.
fn milliseconds(at: OffsetDateTime) -> String {
    let form =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    at.to_utc().format(form).or_else(|_| at.format(&Rfc3339)).unwrap_or_default()
}
