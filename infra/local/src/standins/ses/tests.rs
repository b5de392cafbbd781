use url::form_urlencoded::Serializer;

use super::*;
use crate::{
    access::{Condition, OPERATOR_KEY, Permission},
    standins::{sqs::Sqs, tests::call},
    template::{EventRule, Queue},
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

/// Lets `SignUp` send as `no-reply@example.com` on these resources.
fn may_send(access: &Access, resources: &[&str]) {
    let sender =
        serde_json::json!({ "StringEquals": { "ses:FromAddress": "no-reply@example.com" } });
    let permission = |resource: &&str| Permission {
        action: "ses:SendEmail".to_owned(),
        resource: format!("arn:aws:ses:{REGION}:{ACCOUNT}:{resource}"),
        conditions: Condition::all(&sender).expect("known"),
    };
    access.permit("SignUp", resources.iter().map(permission).collect());
}

fn stand_in() -> Ses {
    let access = Access::default();
    may_send(&access, &["identity/example.com"]);
    Ses::new(Clock::default(), access)
}

#[tokio::test]
async fn a_mail_is_authorised_on_its_set_and_on_recipients_that_are_identities() {
    let sent_by = |set: Option<&'static str>, to: &'static str| {
        let mut form = but("Destination.ToAddresses.member.1", Some(to));
        form.retain(|it| !it.0.starts_with("Destination.Cc"));
        form.extend(set.map(|it| ("ConfigurationSetName", it)));
        form
    };
    let ses = stand_in();
    ses.verify("kim@example.org");
    ses.publish_to(bus(&[]), ConfigurationSets::from([("events".to_owned(), Vec::new())]));
    for (form, denied) in [
        (sent_by(None, "ada@example.net"), None),
        (sent_by(None, "kim@example.org"), Some("identity/kim@example.org")),
        (sent_by(Some("events"), "ada@example.net"), Some("configuration-set/events")),
    ] {
        let (status, body) = ask(&ses, "LOCALSignUp", &form).await;
        match denied {
            None => assert_eq!(status, 200, "{body}"),
            Some(on) => assert!(status == 403 && body.contains(on), "{on}: {status} {body}"),
        }
    }
    ses.set_default(VERIFIED_DOMAIN, "console");
    let (status, body) = ask(&ses, "LOCALSignUp", &sent_by(None, "ada@example.net")).await;
    assert!(status == 403 && body.contains("configuration-set/console"), "{body}");
    may_send(&ses.access, &["identity/*", "configuration-set/*"]);
    for (set, to) in [(None, "kim@example.org"), (Some("events"), "ada@example.net")] {
        let (status, body) = ask(&ses, "LOCALSignUp", &sent_by(set, to)).await;
        assert_eq!(status, 200, "{body}");
    }
    // What protects then is the condition.
    assert_eq!(ask(&ses, "LOCALSignUp", &but("Source", Some("boss@example.com"))).await.0, 403);
    let (status, body) = ask(&ses, OPERATOR_KEY, &sent_by(Some("none"), "ada@example.net")).await;
    assert!(status == 400 && body.contains("<Code>ConfigurationSetDoesNotExist</Code>"), "{body}");
    let names: Vec<_> = ses.mails().iter().map(|it| it.configuration_set.clone()).collect();
    assert_eq!(names, [None, Some("console".to_owned()), Some("events".to_owned())]);
}

#[tokio::test]
async fn in_the_sandbox_only_identities_and_the_simulator_are_written_to() {
    let ses = stand_in();
    ses.sandbox(true);
    ses.verify("kim@example.org");
    for (to, is_taken) in [
        ("kim@example.org", true),
        ("ada@example.com", true),
        ("success+1@simulator.amazonses.com", true),
        ("ada@example.org", false),
    ] {
        let form = but("Destination.ToAddresses.member.1", Some(to));
        let (status, body) = ask(&ses, OPERATOR_KEY, &form).await;
        assert_eq!(status == 200, is_taken, "{to}: {body}");
        assert_eq!(body.contains("failed the check in region EU-WEST-1: ada@"), !is_taken);
    }
}

fn bus(rules: &[EventRule]) -> Bus {
    let queue = Queue {
        id: "Mail".to_owned(),
        name: "mail".to_owned(),
        visibility: std::time::Duration::from_secs(30),
        retention: std::time::Duration::from_secs(3600),
        delay: std::time::Duration::ZERO,
        dead_letters: None,
    };
    let sqs = Sqs::new(Clock::default(), Access::default(), &[queue]);
    Bus::new(Clock::default(), sqs, rules.to_vec())
}

#[tokio::test]
async fn what_becomes_of_a_mail_is_published_as_its_set_says() {
    let ses = stand_in();
    let bus = bus(&[]);
    let kinds = vec!["bounce".to_owned(), "complaint".to_owned()];
    let sets = [("events".to_owned(), kinds), ("quiet".to_owned(), Vec::new())];
    ses.publish_to(bus.clone(), ConfigurationSets::from(sets));
    ses.fate("eve@example.com", Fate::SoftBounce);
    for (set, to) in [
        ("events", "bounce+label@simulator.amazonses.com"),
        ("events", "complaint@simulator.amazonses.com"),
        ("events", "suppressionlist@simulator.amazonses.com"),
        ("events", "Eve@example.com"),
        ("events", "ooto@simulator.amazonses.com"),
        ("events", "success@simulator.amazonses.com"),
        ("quiet", "bounce@simulator.amazonses.com"),
    ] {
        let mut form = but("Destination.ToAddresses.member.1", Some(to));
        form.retain(|it| !it.0.starts_with("Destination.Cc"));
        form.extend([
            ("ConfigurationSetName", set),
            ("Tags.member.1.Name", "kind"),
            ("Tags.member.1.Value", "receipt"),
        ]);
        assert_eq!(ask(&ses, OPERATOR_KEY, &form).await.0, 200, "{to}");
    }
    ses.report(&ses.mails()[5].id, Fate::NotSpam);
    let all = bus.all();
    let seen: Vec<_> = all
        .iter()
        .map(|it| {
            let detail = &it["detail"];
            let text = |path: &str| detail.pointer(path).and_then(serde_json::Value::as_str);
            assert_eq!(it["source"], "aws.ses");
            assert_eq!(detail["mail"]["tags"]["kind"][0], "receipt");
            assert_eq!(detail["mail"]["tags"]["ses:configuration-set"][0], "events");
            assert_eq!(detail["mail"]["destination"].as_array().map(Vec::len), Some(1));
            (
                it["detail-type"].as_str().expect("a kind"),
                text("/bounce/bounceType").or_else(|| text("/complaint/complaintFeedbackType")),
            )
        })
        .collect();
    let (bounced, complained) = ("Email Bounced", "Email Complaint Received");
    assert_eq!(
        seen,
        [
            (bounced, Some("Permanent")),
            (complained, Some("abuse")),
            (bounced, Some("Permanent")),
            (bounced, Some("Transient")),
            (bounced, Some("Transient")),
            (complained, Some("not-spam")),
        ]
    );
    let mut odd = SIMPLE.to_vec();
    odd.extend([("Tags.member.1.Name", "about"), ("Tags.member.1.Value", "a b")]);
    assert_eq!(ask(&ses, OPERATOR_KEY, &odd).await.0, 400);
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
