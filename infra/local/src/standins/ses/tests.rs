use url::form_urlencoded::Serializer;

use super::*;
use crate::{
    access::{OPERATOR_KEY, Permission},
    standins::tests::call,
};

const SIMPLE: &[(&str, &str)] = &[
    ("Action", "SendEmail"),
    ("Version", "2010-12-01"),
    ("Source", "Video <no-reply@example.com>"),
    ("Destination.ToAddresses.member.1", "ada@example.com"),
    ("Destination.CcAddresses.member.1", "Bob <bob@example.com>"),
    ("Message.Subject.Data", "Grüße"),
    ("Message.Subject.Charset", "UTF-8"),
    ("Message.Body.Text.Data", "Öffnen"),
    ("ReplyToAddresses.member.1", "help@example.com"),
];

async fn ask(ses: &Ses, caller: &str, form: &[(&str, &str)]) -> (u16, String) {
    let body = Serializer::new(String::new()).extend_pairs(form).finish();
    call(ses.router(), Some(caller), &[], &body).await
}

/// `SIMPLE` with one member changed, or without it.
fn but<'a>(name: &str, value: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
    SIMPLE
        .iter()
        .filter_map(|&(key, old)| match value {
            _ if key != name => Some((key, old)),
            Some(new) => Some((key, new)),
            None => None,
        })
        .collect()
}

fn stand_in() -> Ses {
    let access = Access::default();
    let permission = Permission {
        action: "ses:SendEmail".to_owned(),
        resource: format!("arn:aws:ses:{REGION}:{ACCOUNT}:identity/{VERIFIED_DOMAIN}"),
    };
    access.permit("SignUp", vec![permission]);
    Ses::new(Clock::default(), access)
}

#[tokio::test]
async fn a_mail_is_kept_as_it_was_sent() {
    let ses = stand_in();
    let (status, body) = ask(&ses, "LOCALSignUp", SIMPLE).await;
    assert_eq!(status, 200, "{body}");
    let mails = ses.mails();
    let [mail] = &mails[..] else { panic!("one mail") };
    assert!(body.contains(&format!("<MessageId>{}</MessageId>", mail.id)));
    assert_eq!(mail.to, ["ada@example.com", "Bob <bob@example.com>"]);
    assert_eq!(mail.subject, "Grüße");
    // No character set was named for the text.
    assert_eq!(mail.text.as_deref(), Some("?ffnen"));
    assert_eq!(mail.html, None);
    assert_eq!(mail.headers, [("Reply-To".to_owned(), "help@example.com".to_owned())]);
}

#[tokio::test]
async fn a_raw_mail_is_taken_apart() {
    let ses = stand_in();
    let raw = "From: Video <no-reply@example.com>\r\nTo: ada@example.com\r\n\
               Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMIME-Version: 1.0\r\n\
               List-Unsubscribe: <https://api.example.com/u>\r\n\
               Content-Type: multipart/alternative; boundary=b\r\n\r\n\
               --b\r\nContent-Type: text/plain; charset=utf-8\r\n\
               Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=96ffnen\r\n\
               --b\r\nContent-Type: text/html\r\n\r\n<p>Open</p>\r\n--b--\r\n";
    let data = base64(raw.as_bytes());
    let form = [("Action", "SendRawEmail"), ("RawMessage.Data", data.as_str())];
    // Its policy names SendEmail only.
    assert_eq!(ask(&ses, "LOCALSignUp", &form).await.0, 403);
    let (status, body) = ask(&ses, OPERATOR_KEY, &form).await;
    assert_eq!(status, 200, "{body}");
    let mail = &ses.mails()[0];
    assert_eq!(
        (mail.subject.as_str(), mail.to.as_slice()),
        ("Grüße", &["ada@example.com".to_owned()][..])
    );
    assert_eq!(mail.text.as_deref().map(str::trim), Some("Öffnen"));
    assert_eq!(mail.html.as_deref().map(str::trim), Some("<p>Open</p>"));
    assert!(mail.headers.iter().any(|(name, _)| name == "List-Unsubscribe"));
    for data in ["%%%", ""] {
        let form = [("Action", "SendRawEmail"), ("RawMessage.Data", data)];
        assert_eq!(ask(&ses, OPERATOR_KEY, &form).await.0, 400);
    }
}

#[tokio::test]
async fn what_ses_refuses_is_refused() {
    let ses = stand_in();
    for (name, value, code) in [
        ("Source", None, "ValidationError"),
        ("Source", Some("no-reply@example.org"), "MessageRejected"),
        ("Source", Some("nobody"), "InvalidParameterValue"),
        (
            "Destination.ToAddresses.member.1",
            Some("a@b\r\nBcc: c@example.com"),
            "InvalidParameterValue",
        ),
        // SES takes no `SMTPUTF8`, on either side of the `@`.
        (
            "Destination.ToAddresses.member.1",
            Some("\u{fc}ser@example.com"),
            "InvalidParameterValue",
        ),
        (
            "Destination.ToAddresses.member.1",
            Some("Ada <ada@b\u{fc}cher.example>"),
            "InvalidParameterValue",
        ),
        ("Message.Subject.Data", None, "ValidationError"),
        ("Message.Body.Text.Data", None, "ValidationError"),
        ("Action", Some("SendFax"), "InvalidAction"),
        ("Action", None, "MissingAction"),
    ] {
        let (status, body) = ask(&ses, OPERATOR_KEY, &but(name, value)).await;
        assert_eq!(status, 400, "{name} {value:?}");
        assert!(body.contains(&format!("<Code>{code}</Code>")), "{name} {value:?}: {body}");
    }
    let names: Vec<String> =
        (1..=50).map(|at| format!("Destination.BccAddresses.member.{at}")).collect();
    let mut many = SIMPLE.to_vec();
    many.extend(names.iter().map(|name| (name.as_str(), "x@example.com")));
    assert!(ask(&ses, OPERATOR_KEY, &many).await.1.contains("Recipient count exceeds 50"));

    let (status, body) = ask(&ses, "LOCALHealth", SIMPLE).await;
    assert_eq!((status, body.contains("AccessDenied")), (403, true));
    ses.fault(Fault::Throttle);
    assert!(ask(&ses, OPERATOR_KEY, SIMPLE).await.1.contains("<Code>Throttling</Code>"));
    ses.fault(Fault::Down);
    assert_eq!(ask(&ses, OPERATOR_KEY, SIMPLE).await.0, 503);
    assert!(ses.mails().is_empty());
}

#[tokio::test]
async fn a_verified_address_may_send_and_the_quota_counts() {
    let ses = stand_in();
    let verify = [("Action", "VerifyEmailIdentity"), ("EmailAddress", "me@example.org")];
    assert_eq!(ask(&ses, OPERATOR_KEY, &verify).await.0, 200);
    let mail = but("Source", Some("Me <ME@example.org>"));
    assert_eq!(ask(&ses, OPERATOR_KEY, &mail).await.0, 200);
    let mail = but("Destination.ToAddresses.member.1", Some("ada@xn--bcher-kva.example"));
    assert_eq!(ask(&ses, OPERATOR_KEY, &mail).await.0, 200);
    let (_, quota) = ask(&ses, OPERATOR_KEY, &[("Action", "GetSendQuota")]).await;
    assert!(quota.contains("<SentLast24Hours>2.0</SentLast24Hours>"), "{quota}");
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |bits: u32| char::from(ALPHABET[(bits & 63) as usize]);
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        text.extend([digit(bits >> 18), digit(bits >> 12), digit(bits >> 6), digit(bits)]);
        text.truncate(text.len() - (3 - chunk.len()));
        text.extend(std::iter::repeat_n('=', 3 - chunk.len()));
    }
    text
}
