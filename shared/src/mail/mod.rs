//! Mail through SES.

mod events;
mod limits;
mod stops;

use aws_sdk_ses::{
    Client,
    types::{Body, Content, Destination, Message, MessageTag},
};
use maud::{Markup, html};
use time::OffsetDateTime;

pub use self::{
    events::{MailEvent, handle},
    stops::{MailStop, Why, lift, send_token},
};
use crate::{
    accounts::{Account, EmailAddress},
    aws::{Lazy, unavailable},
    error::Error,
    telemetry::{self, Metric},
};

/// What a mail is about. It decides whether it goes to an address that refuses mail, and stands in what SES tells of
/// it, so that nothing has to be kept to know what did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A token that opens an account, or lets its holder back in.
    SignUp,
    /// A token that confirms a creator's objection.
    Objection,
    /// A receipt, a withdrawn invoice, a credit note or a refund: tax law.
    Receipt,
    /// What becomes of a deletion or a copy that was asked for: GDPR Art. 12(3).
    Request,
    /// That an account is erased: GDPR Art. 12(3).
    Certificate,
    /// What was decided on an objection: GDPR Art. 12(3) and (4).
    ObjectionAnswer,
    /// That an account is suspended, with the reason, or active again: its holder must be able to object.
    Suspension,
    /// A payment that is overdue.
    Overdue,
    /// A plan that has changed, or ends.
    Plan,
    /// A refund that was asked for, or decided on.
    Refund,
    /// Keys that were made or revoked.
    Keys,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::SignUp,
        Self::Objection,
        Self::Receipt,
        Self::Request,
        Self::Certificate,
        Self::ObjectionAnswer,
        Self::Suspension,
        Self::Overdue,
        Self::Plan,
        Self::Refund,
        Self::Keys,
    ];

    /// Its name in what SES tells.
    pub fn name(self) -> &'static str {
        match self {
            Self::SignUp => "sign-up",
            Self::Objection => "objection",
            Self::Receipt => "receipt",
            Self::Request => "request",
            Self::Certificate => "certificate",
            Self::ObjectionAnswer => "objection-answer",
            Self::Suspension => "suspension",
            Self::Overdue => "overdue",
            Self::Plan => "plan",
            Self::Refund => "refund",
            Self::Keys => "keys",
        }
    }

    /// Whether the law demands it, so that it is tried whatever has come back before.
    pub fn is_demanded(self) -> bool {
        match self {
            Self::Receipt
            | Self::Request
            | Self::Certificate
            | Self::ObjectionAnswer
            | Self::Suspension => true,
            Self::SignUp
            | Self::Objection
            | Self::Overdue
            | Self::Plan
            | Self::Refund
            | Self::Keys => false,
        }
    }
}

/// What became of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// SES has taken it. Whether it arrives, SES tells later.
    Sent,
    /// The address refuses mail, and the law does not demand this one.
    NotSent,
}

/// A mail, as text and as HTML.
#[derive(Debug)]
pub struct Mail {
    /// Subject line.
    pub subject: String,
    /// Plain text part.
    pub text: String,
    /// HTML part; escaping is done where it was built.
    pub html: Markup,
}

impl Mail {
    /// A mail of these paragraphs.
    pub fn of(subject: &str, paragraphs: &[String]) -> Self {
        Self {
            subject: subject.to_owned(),
            text: paragraphs.join("\n\n") + "\n",
            html: html! { @for text in paragraphs { p { (linked(text)) } } },
        }
    }
}

/// What a mail with a token is made of: a page to open first, and the endpoint of programs last.
#[derive(Debug)]
pub(crate) struct Invitation<'a> {
    pub(crate) subject: &'a str,
    pub(crate) before: &'a [String],
    /// The page that the token opens.
    pub(crate) page: &'a str,
    /// What the page is for.
    pub(crate) label: &'a str,
    pub(crate) after: &'a [String],
    /// Where programs send the token.
    pub(crate) endpoint: &'a str,
}

impl Invitation<'_> {
    /// The mail with `token`. Opening the page changes nothing: mail scanners do that too.
    pub(crate) fn mail(&self, token: &str) -> Mail {
        let link = format!("{}?token={token}", self.page);
        let (before, after) = (self.before.join("\n\n"), self.after.join("\n\n"));
        Mail {
            subject: self.subject.to_owned(),
            text: format!(
                "{before}\n\n{}:\n\n    {link}\n\n{after}\n\nFor programs: send this token to POST {}.\n\n    \
                 {token}\n",
                self.label, self.endpoint
            ),
            html: html! {
                @for text in self.before { p { (linked(text)) } }
                p { strong { a href=(link) { (self.label) } } }
                @for text in self.after { p { (linked(text)) } }
                p { "For programs: send the token " code { (token) } " to POST " (self.endpoint) "." }
            },
        }
    }
}

/// `text` with its addresses as links.
fn linked(text: &str) -> Markup {
    html! {
        @for (n, word) in text.split(' ').enumerate() {
            @if n > 0 { " " }
            @let link = word.trim_end_matches(['.', ',', ';', ':', ')']);
            @if link.starts_with("https://") || link.starts_with("http://") {
                a href=(link) { (link) } (&word[link.len()..])
            } @else { (word) }
        }
    }
}

/// Sends mail. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Mailer {
    client: Lazy<Client>,
    from: String,
    configuration_set: String,
}

/// Longest value of a message tag.
const MAX_TAG: usize = 256;

impl Mailer {
    /// Sends as `from` through `client`; SES tells what `configuration_set` says.
    pub fn new(client: Lazy<Client>, from: String, configuration_set: String) -> Self {
        Self { client, from, configuration_set }
    }

    /// Sends `mail` to `account`, unless its address refuses mail and the law does not demand it: that is counted,
    /// and no failure. `about` is the number of what it is about, which names nobody.
    pub async fn tell(
        &self,
        account: &Account,
        (kind, about): (Kind, Option<&str>),
        mail: Mail,
        now: OffsetDateTime,
    ) -> Result<Delivery, Error> {
        if account.mail_stopped.is_some() && !kind.is_demanded() {
            not_sent(now);
            return Ok(Delivery::NotSent);
        }
        self.send(&account.email, (kind, about), mail).await?;
        Ok(Delivery::Sent)
    }

    /// Hands `mail` over for `to`, whatever has come back before. Of what the law demands, and to addresses that
    /// belong to no account.
    pub async fn send(
        &self,
        to: &EmailAddress,
        (kind, about): (Kind, Option<&str>),
        mail: Mail,
    ) -> Result<(), Error> {
        let content = |text: String| {
            Content::builder().charset("UTF-8").data(text).build().map_err(Error::internal)
        };
        let body = Body::builder()
            .text(content(mail.text)?)
            .html(content(mail.html.into_string())?)
            .build();
        let message = Message::builder().subject(content(mail.subject)?).body(body).build();
        self.client
            .send_email()
            .source(&self.from)
            .configuration_set_name(&self.configuration_set)
            .set_tags(Some(tags(kind, about)?))
            .destination(Destination::builder().to_addresses(to.expose()).build())
            .message(message)
            .send()
            .await
            .map(drop)
            .map_err(|error| unavailable("SES", &error))
    }
}

/// What SES hands back with what it tells. A number that it would not take is left out.
fn tags(kind: Kind, about: Option<&str>) -> Result<Vec<MessageTag>, Error> {
    let is_plain = |it: &&str| {
        let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"_-".contains(&it);
        !it.is_empty() && it.len() <= MAX_TAG && it.bytes().all(is_plain)
    };
    let tag = |name: &str, value: &str| {
        MessageTag::builder().name(name).value(value).build().map_err(Error::internal)
    };
    let about = about.filter(is_plain).map(|it| tag("about", it));
    [tag("kind", kind.name())].into_iter().chain(about).collect()
}

/// Counts a mail that was not sent because its address refuses mail.
fn not_sent(now: OffsetDateTime) {
    let metric = Metric::count("MailsNotSent", 1);
    telemetry::metrics(now.unix_timestamp() * 1000, "mail", &[metric]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_a_text_become_links_and_nothing_else_does() {
        let html =
            linked("See https://a.example/b?c=1&d=2. <b> (http://c.example), x").into_string();
        let expected = "See <a href=\"https://a.example/b?c=1&amp;d=2\">https://a.example/b?c=1&amp;d=2</a>. &lt;b&gt; \
                        (http://c.example), x";
        assert_eq!(html, expected);
    }

    #[test]
    fn an_invitation_leads_to_the_page_first_and_names_the_token_for_programs() {
        let invitation = Invitation {
            subject: "Come in",
            before: &["Hello.".to_owned()],
            page: "https://a.example/confirm",
            label: "Open the page",
            after: &["It works for an hour.".to_owned()],
            endpoint: "https://a.example/v1/x",
        };
        let mail = invitation.mail("abc");
        let page = mail.text.find("\n    https://a.example/confirm?token=abc\n").expect("the page");
        assert!(page < mail.text.find("\n    abc\n").expect("the token"));
        let html = mail.html.into_string();
        assert!(
            html.contains("<a href=\"https://a.example/confirm?token=abc\">Open the page</a>"),
            "{html}"
        );
        assert!(html.contains("<code>abc</code>"));
    }

    #[test]
    fn each_kind_has_a_name_of_its_own_that_ses_takes() {
        let mut names: Vec<_> = Kind::ALL.iter().map(|it| it.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            for (about, expected) in [
                (None, 1),
                (Some("in_1QExample"), 2),
                (Some("2026-11-24#receipt"), 1),
                (Some(""), 1),
            ] {
                assert_eq!(tags(kind, about).expect("tags").len(), expected, "{about:?}");
            }
        }
    }
}
