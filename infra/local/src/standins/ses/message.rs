//! What is in a mail, from the two forms that SES takes one in.

use mail_parser::{Address, Message, MessageParser, PartType, decoders::base64::base64_decode};
use serde::Serialize;
use time::OffsetDateTime;

use super::protocol::{Form, Refusal};

/// A mail as it was sent.
#[derive(Clone, Debug, Serialize)]
pub struct Mail {
    /// The id that the sender was told.
    pub id: String,
    /// The cloud's time when it was taken.
    #[serde(with = "time::serde::rfc3339")]
    pub sent_at: OffsetDateTime,
    /// Sender, with a display name where it was given.
    pub from: String,
    /// Every recipient, copies and blind copies too.
    pub to: Vec<String>,
    /// Decoded subject.
    pub subject: String,
    /// The plain text part.
    pub text: Option<String>,
    /// The HTML part.
    pub html: Option<String>,
    /// Further headers, in order.
    pub headers: Vec<(String, String)>,
    /// The configuration set it was sent with, by name or by default.
    pub configuration_set: Option<String>,
    /// Message tags, in order: events about it carry them.
    pub tags: Vec<(String, String)>,
}

/// Longest name and value of a message tag.
const MAX_TAG: usize = 256;

/// The mail of a `SendEmail` request. Id and time are still to be set.
pub(super) fn simple(form: &Form) -> Result<Mail, Refusal> {
    let from = form.required("Source")?.to_owned();
    let to = ["To", "Cc", "Bcc"]
        .iter()
        .flat_map(|kind| form.list(&format!("Destination.{kind}Addresses")))
        .collect();
    let text = content(form, "Message.Body.Text");
    let html = content(form, "Message.Body.Html");
    if text.is_none() && html.is_none() {
        return Err(Refusal::missing("message.body"));
    }
    let subject =
        content(form, "Message.Subject").ok_or_else(|| Refusal::missing("message.subject"))?;
    let mut headers = Vec::new();
    let reply_to = form.list("ReplyToAddresses");
    if !reply_to.is_empty() {
        headers.push(("Reply-To".to_owned(), reply_to.join(", ")));
    }
    let configuration_set = form.get("ConfigurationSetName").map(str::to_owned);
    let tags = tags(form)?;
    Ok(Mail { from, to, subject, text, html, headers, configuration_set, tags, ..empty() })
}

fn tags(form: &Form) -> Result<Vec<(String, String)>, Refusal> {
    let mut tags = Vec::new();
    let at =
        |at: usize, part: &str| form.get(&format!("Tags.member.{at}.{part}")).map(str::to_owned);
    for n in 1.. {
        let (Some(name), Some(value)) = (at(n, "Name"), at(n, "Value")) else { break };
        for text in [&name, &value] {
            let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"_-".contains(&it);
            if text.len() > MAX_TAG || !text.bytes().all(is_plain) {
                let message =
                    "Tag names and values take alphanumeric ASCII characters, '_', or '-' only.";
                return Err(Refusal::sender("InvalidParameterValue", message));
            }
        }
        tags.push((name, value));
    }
    Ok(tags)
}

/// The mail of a `SendRawEmail` request. Id and time are still to be set.
pub(super) fn raw(form: &Form) -> Result<Mail, Refusal> {
    let data = form.required("RawMessage.Data")?;
    let invalid = |what: &str| Refusal::sender("InvalidParameterValue", what);
    let bytes = base64_decode(data.as_bytes())
        .ok_or_else(|| invalid("The message is not encoded in base64."))?;
    let message = MessageParser::default()
        .parse(&bytes)
        .ok_or_else(|| invalid("The message has no headers."))?;

    let from = form
        .get("Source")
        .map(str::to_owned)
        .or_else(|| message.from().and_then(|from| addresses(from).next()))
        .ok_or_else(|| invalid("Missing required header 'From'."))?;
    let mut to = form.list("Destinations");
    if to.is_empty() {
        let named = [message.to(), message.cc(), message.bcc()];
        to = named.into_iter().flatten().flat_map(addresses).collect();
    }
    let shown = ["From", "To", "Cc", "Bcc", "Subject"];
    let headers = message
        .headers_raw()
        .filter(|(name, _)| !shown.iter().any(|it| it.eq_ignore_ascii_case(name)))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    Ok(Mail {
        from,
        to,
        subject: message.subject().unwrap_or_default().to_owned(),
        text: part(&message, |body| match body {
            PartType::Text(text) => Some(text.to_string()),
            _ => None,
        }),
        html: part(&message, |body| match body {
            PartType::Html(html) => Some(html.to_string()),
            _ => None,
        }),
        headers,
        configuration_set: form.get("ConfigurationSetName").map(str::to_owned),
        tags: tags(form)?,
        ..empty()
    })
}

/// The bare address in `Name <address>`, or what it is itself. SES takes 7-bit ASCII only: a domain in
/// another script comes as Punycode, and a part before the `@` in one is refused (no `SMTPUTF8`).
pub(super) fn address_of(mailbox: &str) -> Result<String, Refusal> {
    let invalid = |why: &str| Refusal::sender("InvalidParameterValue", why);
    let refused = || invalid("Missing final '@domain'");
    // A line break would start another header.
    if mailbox.contains(char::is_control) {
        return Err(refused());
    }
    let header = format!("From: {mailbox}\r\n\r\n");
    let parsed = MessageParser::default().parse_headers(&header).ok_or_else(refused)?;
    let address = parsed.from().and_then(Address::first).and_then(|one| one.address());
    match address.and_then(|address| address.rsplit_once('@')) {
        Some((local, _)) if !local.is_ascii() => {
            Err(invalid("Local address contains control or whitespace"))
        }
        Some((_, domain)) if !domain.is_ascii() => {
            Err(invalid("Domain contains control or whitespace"))
        }
        Some((local, domain)) if !local.is_empty() && domain.contains('.') => {
            Ok(format!("{local}@{domain}"))
        }
        _ => Err(refused()),
    }
}

/// A piece of text. Without a character set SES sends 7-bit ASCII, and the rest is lost.
fn content(form: &Form, name: &str) -> Option<String> {
    let data = form.get(&format!("{name}.Data"))?;
    Some(match form.get(&format!("{name}.Charset")) {
        Some(_) => data.to_owned(),
        None => data.chars().map(|char| if char.is_ascii() { char } else { '?' }).collect(),
    })
}

fn addresses<'a>(header: &'a Address<'_>) -> impl Iterator<Item = String> + 'a {
    header.iter().filter_map(|one| {
        let address = one.address()?;
        Some(match one.name() {
            Some(name) => format!("{name} <{address}>"),
            None => address.to_owned(),
        })
    })
}

/// The first part that is truly of the wanted kind: the parser offers one as the other as well.
fn part(message: &Message<'_>, wanted: fn(&PartType<'_>) -> Option<String>) -> Option<String> {
    message.text_bodies().chain(message.html_bodies()).find_map(|part| wanted(&part.body))
}

fn empty() -> Mail {
    Mail {
        id: String::new(),
        sent_at: OffsetDateTime::UNIX_EPOCH,
        from: String::new(),
        to: Vec::new(),
        subject: String::new(),
        text: None,
        html: None,
        headers: Vec::new(),
        configuration_set: None,
        tags: Vec::new(),
    }
}
