//! `docs/PRIVACY-CONTROLS.md`: a test keeps it fresh.

use std::fmt::Write;

use super::{Proof, clauses, policy};

/// Every section of the policy that says something: none may be without a clause.
pub static SECTIONS: &[&str] = &[
    "1.1", "1.2", "2.1", "2.2", "2.3", "2.4", "3.1", "3.2", "4.1", "4.2", "5.1", "5.2", "5.3",
    "5.4", "6.1", "6.2", "6.3", "7.1", "7.2", "8", "9.1", "9.2", "9.3", "9.4", "10.1", "10.2",
    "10.3", "11.1", "11.2", "12.1", "12.2", "13.1", "13.2", "13.3", "14", "15",
];

/// The document.
pub fn markdown() -> String {
    let mut text = String::from(
        "# Privacy controls\n\nGenerated from `shared/src/inventory/` and `shared/src/policy/`; \
         `BLESS=1 cargo test --workspace policy` writes it anew.\n",
    );
    let policy = policy("");
    table(
        &mut text,
        "What is kept, and how long",
        ["Category", "What it is", "Kept", "Why", "Legal basis"],
        policy.retention.iter().map(|it| {
            let id = format!("`{}`", it.category);
            [id, it.description.into(), it.kept.clone(), it.purpose.into(), it.legal_basis.into()]
        }),
    );
    table(
        &mut text,
        "Categories under the California Consumer Privacy Act",
        ["Category", "Data", "Sold"],
        policy.ccpa.iter().map(|it| [it.category.into(), list(&it.data), "no".to_owned()]),
    );
    table(
        &mut text,
        "Recipients",
        ["Recipient", "Data"],
        policy.recipients.iter().map(|it| [it.recipient.into(), list(&it.data)]),
    );
    table(
        &mut text,
        "Clause by clause",
        ["Section", "Promise", "What keeps it", "What proves it"],
        clauses().map(|it| {
            let proof = match it.proof {
                Proof::Tests(tests) => list(tests),
                Proof::NotYet(missing) => format!("**not yet**: {missing}"),
                Proof::Operator(what) => format!("the operator: {what}"),
            };
            [it.section.into(), it.promise.into(), it.control.into(), proof]
        }),
    );
    text
}

fn list(names: &[&str]) -> String {
    names.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ")
}

fn table<const N: usize>(
    text: &mut String,
    title: &str,
    head: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) {
    // Writing to a string cannot fail.
    let _ = write!(text, "\n## {title}\n\n| {} |\n|{}\n", head.join(" | "), "---|".repeat(N));
    for row in rows {
        let cells = row.map(|cell| cell.replace('|', "\\|"));
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
}
