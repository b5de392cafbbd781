//! Mail through SES.

mod limits;

use aws_sdk_ses::{
    Client,
    types::{Body, Content, Destination, Message},
};
use maud::{Markup, html};

use crate::{
    accounts::EmailAddress,
    aws::{Lazy, unavailable},
    error::Error,
};

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
            html: html! { @for text in paragraphs { p { (text) } } },
        }
    }
}

/// Sends mail. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Mailer {
    client: Lazy<Client>,
    from: String,
}

impl Mailer {
    /// Sends as `from` through `client`.
    pub fn new(client: Lazy<Client>, from: String) -> Self {
        Self { client, from }
    }

    /// Hands `mail` over for `to`.
    pub async fn send(&self, to: &EmailAddress, mail: Mail) -> Result<(), Error> {
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
            .destination(Destination::builder().to_addresses(to.expose()).build())
            .message(message)
            .send()
            .await
            .map(drop)
            .map_err(|error| unavailable("SES", &error))
    }
}
