//! `/privacy`: the tables of the privacy policy, to read.

use maud::{Markup, html};

use crate::{
    docs::{layout, scroll},
    policy::policy,
};

/// The page; help is at the address `support`.
pub(super) fn page(support: &str) -> String {
    let policy = policy(support);
    let title = "Privacy";
    let header = html! {
        h1 { (title) }
        p {
            "Version " (policy.version) " of the privacy policy, as the service keeps it. For programs: "
            a href="/v1/policy" { code { "/v1/policy" } } "."
        }
    };
    let kept: Vec<Vec<&str>> = policy
        .retention
        .iter()
        .map(|it| vec![it.description, it.kept.as_str(), it.purpose, it.legal_basis])
        .collect();
    let recipients: Vec<(&str, String)> =
        policy.recipients.iter().map(|it| (it.recipient, it.data.join(", "))).collect();
    let recipients: Vec<Vec<&str>> =
        recipients.iter().map(|it| vec![it.0, it.1.as_str()]).collect();
    let ccpa: Vec<(&str, String)> =
        policy.ccpa.iter().map(|it| (it.category, it.data.join(", "))).collect();
    let ccpa: Vec<Vec<&str>> = ccpa.iter().map(|it| vec![it.0, it.1.as_str(), "no"]).collect();
    let content = html! {
        h2 { "What you can do" }
        ul {
            li { "Have a copy of what is kept about you, or have it deleted: under " a href="/docs#tag-privacy" { "Privacy" } " in the documentation." }
            li { "As a creator, " a href="/object" { "have your videos left out" } ". You need no account." }
            li { "Get a " a href="/sign-up" { "new key" } " if somebody else may have yours, and stop all others." }
        }
        h2 { "What is kept, and how long" }
        (table("What is kept, and how long", &["What", "How long", "Why", "Legal basis"], &kept))
        h2 { "Who receives it" }
        (table("Who receives it", &["Who", "What"], &recipients))
        h2 { "Categories under California's law (CCPA)" }
        (table("Categories under the CCPA", &["Category", "What", "Sold or shared"], &ccpa))
    };
    layout(title, &header, None, &content)
}

fn table(label: &str, heads: &[&str], rows: &[Vec<&str>]) -> Markup {
    let table = html! {
        table {
            thead { tr { @for head in heads { th scope="col" { (head) } } } }
            tbody {
                @for row in rows {
                    tr {
                        @for (n, cell) in row.iter().enumerate() {
                            @if n == 0 { th scope="row" { (cell) } } @else { td { (cell) } }
                        }
                    }
                }
            }
        }
    };
    scroll(label, &table)
}
