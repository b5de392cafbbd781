//! What is done with a key of an account is told its holder, so that they learn of it if it was somebody else.

use super::{
    mails::name,
    money::shown,
    task::{PlanChange, Work},
};
use crate::{
    accounts::{Account, Status, Subscription},
    dates::day,
    mail::Mail,
    plans::Plan,
};

/// The mail that says how what `account` has bought has changed, if its holder is told. A purchase has its receipt, an
/// end its own mail, and what an overdue payment brings about is told with that.
pub(super) fn told_of(account: &Account, after: Option<&Subscription>) -> Option<Work> {
    let (before, after) = (account.subscription.as_ref()?, after?);
    let is_overdue = before.past_due_since.is_some() || after.past_due_since.is_some();
    if before.id != after.id || is_overdue || account.status == Status::Erasing {
        return None;
    }
    let mail = |change, plan, from| Some(Work::PlanMail { change, plan, from });
    let price = Plan::cents_per_month;
    if price(after.plan) > price(before.plan) {
        return mail(PlanChange::Raised, after.plan, None);
    }
    match (before.ends_at, after.ends_at) {
        (None, Some(end)) => return mail(PlanChange::Ends, after.plan, Some(end)),
        (Some(_), None) => return mail(PlanChange::GoesOn, after.plan, None),
        _ => {}
    }
    if before.next_plan == after.next_plan || before.plan != after.plan {
        // A smaller plan that begins was told of when it was asked for.
        return None;
    }
    match after.next_plan {
        Some(plan) => mail(PlanChange::Lower, plan, Some(after.period.end)),
        None => mail(PlanChange::Kept, after.plan, None),
    }
}

/// What to do if somebody else did it.
const NOT_YOU: &str = "If it was you, there is nothing to do. If not, somebody else has a key of yours: sign up again with \
                       this address, and the mail that comes gets you a new key and revokes all others at once.";

/// Says how what was bought has changed: to `plan`, or of it, from when on.
pub(super) fn plan_changed(change: PlanChange, plan: Plan, from: Option<i64>) -> Mail {
    let requests = plan.requests_per_period();
    let (plan, from) = (name(plan), day(from.unwrap_or_default()));
    let (subject, text) = match change {
        PlanChange::Raised => (
            format!("Your plan is {plan} now"),
            format!(
                "Your plan is {plan} now, with {requests} requests in each period. A new period has begun."
            ),
        ),
        PlanChange::Lower => (
            format!("Your plan will be {plan}"),
            format!(
                "Your plan will be {plan} from {from} (UTC) on, with {requests} requests in each period. Until \
                 then nothing changes."
            ),
        ),
        PlanChange::Kept => (
            format!("Your plan stays {plan}"),
            format!("The smaller plan that was to come has been taken back: you stay on {plan}."),
        ),
        PlanChange::Ends => (
            format!("Your {plan} plan ends on {from}"),
            format!(
                "Your {plan} plan will end on {from} (UTC). Nothing more is charged. Until then nothing \
                 changes; after it your account is on the Free plan, and your keys stay."
            ),
        ),
        PlanChange::GoesOn => (
            format!("Your {plan} plan goes on"),
            format!("The end of your {plan} plan has been taken back: it goes on as before."),
        ),
    };
    Mail::of(&subject, &[text, NOT_YOU.to_owned()])
}

/// Says that a refund was asked for.
pub(super) fn refund_asked(cents: i64, currency: &str) -> Mail {
    let amount = shown(cents, currency);
    let text = format!(
        "A refund of {amount} was asked for with a key of your account. A person looks at it, and a mail says what \
         was decided. If it is paid, the plan that was paid for ends."
    );
    Mail::of("You asked for a refund", &[text, NOT_YOU.to_owned()])
}

/// Names that a mail about keys lists; of more it says how many.
const NAMES: usize = 10;

/// Says which keys were made and revoked.
pub(super) fn keys_changed(public_url: &str, made: &[String], revoked: &[String]) -> Mail {
    let subject = match (made.len(), revoked.len()) {
        (1, 0) => "An API key was made",
        (0, 1) => "An API key was revoked",
        _ => "Your API keys have changed",
    };
    let line = |what: &str, names: &[String]| {
        let shown: Vec<_> = names.iter().take(NAMES).map(|it| format!("\"{it}\"")).collect();
        let more = match names.len().saturating_sub(NAMES) {
            0 => String::new(),
            count => format!(" and {count} more"),
        };
        (!names.is_empty()).then(|| format!("{what}: {}{more}.", shown.join(", ")))
    };
    let mut paragraphs: Vec<String> =
        [line("Made", made), line("Revoked", revoked)].into_iter().flatten().collect();
    paragraphs.push(format!("Which keys your account has, {public_url}/v1/keys lists."));
    paragraphs.push(NOT_YOU.to_owned());
    Mail::of(subject, &paragraphs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://api.example.com";

    #[test]
    fn a_mail_about_keys_names_a_few_of_them() {
        let names =
            |count: usize| -> Vec<String> { (0..count).map(|n| format!("key {n}")).collect() };
        for (made, revoked, subject, line) in [
            (1, 0, "An API key was made", "Made: \"key 0\"."),
            (0, 1, "An API key was revoked", "Revoked: \"key 0\"."),
            (1, 1, "Your API keys have changed", "Revoked: \"key 0\"."),
            (12, 0, "Your API keys have changed", "\"key 9\" and 2 more."),
        ] {
            let mail = keys_changed(URL, &names(made), &names(revoked));
            assert_eq!(mail.subject, subject);
            assert!(mail.text.contains(line) && mail.text.contains("If not"), "{}", mail.text);
        }
    }
}
