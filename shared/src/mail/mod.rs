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
}
