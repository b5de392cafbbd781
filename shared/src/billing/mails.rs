//! Mails about billing. They belong to the contract, so nobody can opt out of them.

use super::{
    GRACE_DAYS,
    dunning::ends_at,
    money::shown,
    record::{Record, RecordKind, RecordLine},
    task::RefundRequest,
};
use crate::{accounts::Subscription, dates::day, mail::Mail, plans::Plan};

/// The mail about `record`, whose invoice is `invoice`; `None` where there is nothing to be told.
pub(super) fn of_record(
    public_url: &str,
    record: &Record,
    invoice: Option<&Record>,
) -> Option<Mail> {
    match record.kind {
        RecordKind::Receipt => Some(receipt(public_url, record, invoice)),
        RecordKind::Void => Some(voided(record)),
        RecordKind::Refund => Some(refunded(record)),
        RecordKind::CreditNote => Some(credited(record, invoice)),
        RecordKind::Invoice
        | RecordKind::WrittenOff
        | RecordKind::Payment
        | RecordKind::RefundFailed
        | RecordKind::Dispute
        | RecordKind::DisputeWon
        | RecordKind::CreditNoteVoid => None,
    }
}

fn receipt(public_url: &str, record: &Record, invoice: Option<&Record>) -> Mail {
    let number = number(record);
    let amount = |cents| shown(cents, &record.currency);
    // Older records do not say what was paid in money.
    let money = record.paid_cents.unwrap_or(record.amount_cents);
    let paid = match money {
        ..=0 => format!("Invoice {number} asks for nothing: a credit covers it."),
        _ => format!("Invoice {number} was paid on {}. Thank you.", day(record.issued_at)),
    };
    let mut paragraphs = vec![paid];
    if let Some(invoice) = invoice {
        if let Some(plan) = invoice.plan() {
            paragraphs.push(format!("Plan: {}.", name(plan)));
        }
        paragraphs.extend(invoice.lines.iter().map(|it| line(it, &record.currency)));
    }
    let total = amount(record.amount_cents);
    paragraphs.push(match record.tax_cents.unwrap_or_default() {
        0 => format!("Total: {total}."),
        tax => format!("Total: {total}, of it taxes: {}.", amount(tax)),
    });
    if let Some(cents) = record.balance_cents.filter(|cents| *cents != 0) {
        paragraphs.push(match cents {
            1.. => format!("From your balance: {}. Paid: {}.", amount(-cents), amount(money)),
            _ => format!("Added to your balance, for the next invoices: {}.", amount(-cents)),
        });
    }
    paragraphs.push(format!(
        "The invoice as a PDF: GET {public_url}/v1/billing/invoices/{} with your API key says where it \
         is.",
        record.source
    ));
    Mail::of(&format!("Your invoice and receipt {number}"), &paragraphs)
}

fn line(line: &RecordLine, currency: &str) -> String {
    let RecordLine { description, cents, from, to, .. } = line;
    format!("{description} ({} to {}): {}", day(*from), day(*to), shown(*cents, currency))
}

fn voided(record: &Record) -> Mail {
    let number = number(record);
    let text = format!(
        "Invoice {number} of {} was withdrawn on {}. Nothing is to be paid for it.",
        shown(record.amount_cents, &record.currency),
        day(record.issued_at)
    );
    Mail::of(&format!("Invoice {number} was withdrawn"), &[text])
}

fn refunded(record: &Record) -> Mail {
    let amount = shown(record.amount_cents, &record.currency);
    let text = format!(
        "{amount} was given back to you on {}, to where it was paid from. Until it shows there can take \
         ten working days. Its number is {}.",
        day(record.issued_at),
        record.source
    );
    Mail::of(&format!("Your refund of {amount}"), &[text])
}

fn credited(record: &Record, invoice: Option<&Record>) -> Mail {
    let note = number(record);
    let amount = |cents| shown(cents, &record.currency);
    let of = invoice.map(number).or(record.of.as_deref()).unwrap_or_default();
    let mut paragraphs = vec![format!(
        "Credit note {note} of {} takes {} off invoice {of}.",
        day(record.issued_at),
        amount(record.amount_cents)
    )];
    let to_balance = -record.balance_cents.unwrap_or_default();
    if to_balance > 0 {
        paragraphs
            .push(format!("Added to your balance, for the next invoices: {}.", amount(to_balance)));
    }
    if to_balance < record.amount_cents {
        paragraphs.push(format!(
            "{} is less to be paid for it, or is given back to where it was paid from.",
            amount(record.amount_cents - to_balance)
        ));
    }
    Mail::of(&format!("Credit note {note}"), &paragraphs)
}

/// The number that the customer knows the invoice by.
fn number(record: &Record) -> &str {
    record.number.as_deref().unwrap_or(&record.source)
}

pub(super) fn name(plan: Plan) -> &'static str {
    match plan {
        Plan::Free => "Free",
        Plan::Basic => "Basic",
        Plan::Pro => "Pro",
        Plan::Business => "Business",
    }
}

/// Says that a payment of `overdue` could not be taken, of whose period there are so many `requests` until it
/// is; `sent` such mails have gone before.
pub(super) fn overdue(
    public_url: &str,
    overdue: &Subscription,
    requests: u64,
    (since, sent): (i64, u32),
) -> Mail {
    let (plan, end) = (name(overdue.plan), day(ends_at(since)));
    let portal = format!("the page that POST {public_url}/v1/billing/portal opens");
    let how = match &overdue.pay_page {
        Some(page) => format!(
            "Pay it on this page, where you can also confirm it if your bank asks for that: {page} Or change \
             the card on {portal}; the payment is then tried again."
        ),
        None => format!("Change the card on {portal}; the payment is then tried again."),
    };
    let subject = match sent {
        0 => "Your payment failed".to_owned(),
        _ => format!("Your payment is overdue: the {plan} plan ends on {end}"),
    };
    Mail::of(
        &subject,
        &[
            format!(
                "The payment for your {plan} plan, due on {} (UTC), could not be taken.",
                day(since)
            ),
            how,
            format!(
                "The plan goes on until then, for {GRACE_DAYS} days in all, with {requests} requests in this \
                 period; the rest of them comes with the payment. Without one the plan ends on {end} (UTC), \
                 and your account is on the Free plan from then on. Your keys stay."
            ),
        ],
    )
}

/// Says that a subscription has ended, and which plan the account is on.
pub(super) fn ended(public_url: &str, unpaid: bool, now_on: Plan) -> Mail {
    let (subject, why) = match unpaid {
        true => (
            "Your plan has ended: no payment",
            format!("Your plan has ended: its payment could not be taken for {GRACE_DAYS} days."),
        ),
        false => ("Your plan has ended", "Your plan has ended, as it was cancelled.".to_owned()),
    };
    Mail::of(
        subject,
        &[
            why,
            format!(
                "Your account is on the {} plan now, with {} requests in each period. Your keys stay, and \
                 nothing more is charged for the plan that has ended.",
                name(now_on),
                now_on.requests_per_period()
            ),
            format!("You can buy a plan at any time: POST {public_url}/v1/billing/checkout."),
        ],
    )
}

/// Says that a refund was granted.
pub(super) fn refund_approved(request: &RefundRequest) -> Mail {
    let amount = shown(request.cents, &request.currency);
    let text = format!(
        "Your refund of {amount}, asked for on {}, was approved. The money is on its way to where it was \
         paid from. The plan that it was paid for has ended, or ends with its period if more was paid for \
         it since.",
        day(request.asked_at)
    );
    Mail::of("Your refund was approved", &[text])
}

/// Says that a refund was not granted, and why.
pub(super) fn refund_refused(request: &RefundRequest, support: &str) -> Mail {
    let amount = shown(request.cents, &request.currency);
    let mut paragraphs = vec![format!(
        "Your refund of {amount}, asked for on {}, was not approved. Nothing about your plan changes by it.",
        day(request.asked_at)
    )];
    paragraphs.extend(request.reason.as_ref().map(|it| format!("The reason: {it}")));
    paragraphs.push(format!("If you think that this is wrong, write to {support}."));
    Mail::of("Your refund was not approved", &paragraphs)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::{accounts::Span, billing::task::RefundState};

    const URL: &str = "https://api.example.com";

    fn record(kind: RecordKind, cents: i64) -> Record {
        let (from, to) = (datetime!(2026-11-15 10:30 UTC), datetime!(2026-12-15 10:30 UTC));
        let line = |description: &str, cents| RecordLine {
            description: description.to_owned(),
            cents,
            from: from.unix_timestamp(),
            to: to.unix_timestamp(),
            plan: Some(Plan::Pro),
        };
        Record {
            account: "acc_4kPq9ZtR2mWx".parse().expect("an id"),
            record: "2026-11-15#receipt#in_1".to_owned(),
            kind,
            source: "in_1".to_owned(),
            issued_at: from.unix_timestamp(),
            amount_cents: cents,
            tax_cents: Some(319),
            currency: "usd".to_owned(),
            number: Some("ABCD-0001".to_owned()),
            of: None,
            lines: vec![line("1 × Pro", 2_000), line("Unused time on <Basic>", -319)],
            email: None,
            company: None,
            balance_cents: None,
            paid_cents: None,
            payment_intent: None,
        }
    }

    #[test]
    fn a_receipt_says_what_was_paid_for() {
        let invoice = record(RecordKind::Invoice, 2_000);
        let receipt = Record { lines: Vec::new(), ..record(RecordKind::Receipt, 2_000) };
        let mail = of_record(URL, &receipt, Some(&invoice)).expect("a mail");
        assert_eq!(mail.subject, "Your invoice and receipt ABCD-0001");
        for part in [
            "ABCD-0001 was paid on 2026-11-15",
            "Plan: Pro.",
            "1 × Pro (2026-11-15 to 2026-12-15): $20.00",
            "Unused time on <Basic> (2026-11-15 to 2026-12-15): -$3.19",
            "Total: $20.00, of it taxes: $3.19.",
            "GET https://api.example.com/v1/billing/invoices/in_1 ",
        ] {
            assert!(mail.text.contains(part), "{part} is not in {}", mail.text);
        }
        assert!(mail.html.into_string().contains("&lt;Basic&gt;"));
        let credit = record(RecordKind::Receipt, -700);
        let text = of_record(URL, &credit, None).expect("a mail").text;
        assert!(text.contains("a credit covers it") && text.contains("Total: -$7.00"), "{text}");
    }

    #[test]
    fn a_receipt_says_what_the_balance_has_paid_and_of_no_tax_where_there_is_none() {
        let partly = Record {
            tax_cents: Some(0),
            balance_cents: Some(500),
            paid_cents: Some(1_500),
            lines: Vec::new(),
            ..record(RecordKind::Receipt, 2_000)
        };
        let text = of_record(URL, &partly, None).expect("a mail").text;
        assert!(text.contains("was paid on 2026-11-15"), "{text}");
        assert!(text.contains("Total: $20.00.") && !text.contains("tax"), "{text}");
        assert!(text.contains("From your balance: -$5.00. Paid: $15.00."), "{text}");
        let covered = Record { balance_cents: Some(2_000), paid_cents: Some(0), ..partly.clone() };
        let text = of_record(URL, &covered, None).expect("a mail").text;
        assert!(text.contains("a credit covers it") && text.contains("Paid: $0.00."), "{text}");
        let added = Record { balance_cents: Some(-700), paid_cents: Some(0), ..partly };
        let text = of_record(URL, &added, None).expect("a mail").text;
        assert!(text.contains("Added to your balance, for the next invoices: $7.00."), "{text}");
    }

    #[test]
    fn a_credit_note_says_where_its_amount_went() {
        let invoice = record(RecordKind::Invoice, 2_000);
        let note = |balance| Record {
            source: "cn_1".to_owned(),
            number: Some("ABCD-0001-CN-01".to_owned()),
            of: Some("in_1".to_owned()),
            balance_cents: balance,
            ..record(RecordKind::CreditNote, 700)
        };
        let mail = of_record(URL, &note(Some(-700)), Some(&invoice)).expect("a mail");
        assert_eq!(mail.subject, "Credit note ABCD-0001-CN-01");
        assert!(mail.text.contains("takes $7.00 off invoice ABCD-0001."), "{}", mail.text);
        assert!(mail.text.contains("for the next invoices: $7.00."), "{}", mail.text);
        assert!(!mail.text.contains("given back"), "{}", mail.text);
        let text = of_record(URL, &note(None), Some(&invoice)).expect("a mail").text;
        assert!(text.contains("$7.00 is less to be paid"), "{text}");
    }

    #[test]
    fn what_moves_no_money_of_the_customer_is_not_told() {
        let is_told = |kind| of_record(URL, &record(kind, 2_000), None).is_some();
        for kind in [RecordKind::Receipt, RecordKind::Void, RecordKind::Refund] {
            assert!(is_told(kind), "{kind:?}");
        }
        for kind in [RecordKind::Invoice, RecordKind::Payment, RecordKind::Dispute] {
            assert!(!is_told(kind), "{kind:?}");
        }
        let void = of_record(URL, &record(RecordKind::Void, 2_000), None).expect("a mail");
        assert!(void.text.contains("ABCD-0001 of $20.00 was withdrawn"), "{}", void.text);
        let refund = of_record(URL, &record(RecordKind::Refund, 1_000), None).expect("a mail");
        assert_eq!(refund.subject, "Your refund of $10.00");
    }

    #[test]
    fn each_reminder_says_on_which_day_the_plan_ends() {
        let since = datetime!(2026-12-15 10:30 UTC).unix_timestamp();
        let mut subscription = Subscription {
            id: "sub_1".to_owned(),
            plan: Plan::Pro,
            next_plan: None,
            anchor: since,
            period: Span { start: since, end: since + 31 * 86_400 },
            ends_at: None,
            past_due_since: Some(since),
            paid_to: Some(since),
            pending: None,
            pay_page: None,
        };
        let first = overdue(URL, &subscription, 4_516, (since, 0));
        subscription.pay_page = Some("https://invoice.stripe.com/i/1".to_owned());
        let later = overdue(URL, &subscription, 4_516, (since, 2));
        assert!(later.text.contains("https://invoice.stripe.com/i/1 Or change"), "{}", later.text);
        assert_eq!(first.subject, "Your payment failed");
        assert_eq!(later.subject, "Your payment is overdue: the Pro plan ends on 2026-12-29");
        for mail in [first, later] {
            assert!(mail.text.contains("ends on 2026-12-29 (UTC)"), "{}", mail.text);
            assert!(mail.text.contains("/v1/billing/portal"), "{}", mail.text);
            assert!(mail.text.contains("with 4516 requests in this period"), "{}", mail.text);
        }
    }

    #[test]
    fn an_end_says_why_and_what_the_account_is_on() {
        let unpaid = ended(URL, true, Plan::Free).text;
        assert!(unpaid.contains("could not be taken") && unpaid.contains("on the Free plan"));
        let cancelled = ended(URL, false, Plan::Basic).text;
        assert!(cancelled.contains("cancelled") && cancelled.contains("on the Basic plan"));
    }

    #[test]
    fn a_decision_on_a_refund_names_the_amount_and_the_reason() {
        let request = RefundRequest {
            invoice: "in_1".to_owned(),
            charge: "ch_1".to_owned(),
            cents: 2_000,
            returned_cents: 0,
            credited_cents: 0,
            failures: 0,
            currency: "usd".to_owned(),
            asked_at: datetime!(2026-11-16 10:30 UTC).unix_timestamp(),
            state: RefundState::Refused,
            reason: Some("it was used to the last request".to_owned()),
            decided_at: None,
        };
        let refused = refund_refused(&request, "support@example.com").text;
        assert!(refused.contains("$20.00, asked for on 2026-11-16, was not approved"), "{refused}");
        assert!(refused.contains("The reason: it was used to the last request"), "{refused}");
        let approved = refund_approved(&request).text;
        assert!(approved.contains("$20.00") && approved.contains("has ended"), "{approved}");
        assert!(!approved.contains("reason"));
    }
}
