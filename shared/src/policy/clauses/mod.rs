//! Every clause of the privacy policy, with what enforces it and what proves it.
//!
//! Tests hold it: every section of the policy has a clause, every test that is named exists, and
//! `docs/PRIVACY-CONTROLS.md`, which is made from it, is fresh.

mod data;
mod law;
mod rights;

/// What shows that a clause is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Tests, as `module::function` of `tests/it/`.
    Tests(&'static [&'static str]),
    /// Nothing yet; says what is missing.
    NotYet(&'static str),
    /// A matter of the operator's organisation, which no code can enforce; says what the operator
    /// does.
    Operator(&'static str),
}

/// One promise of the policy.
#[derive(Clone, Copy, Debug)]
pub struct Clause {
    /// Section of the policy, for example `3.2`.
    pub section: &'static str,
    /// What is promised.
    pub promise: &'static str,
    /// What keeps it.
    pub control: &'static str,
    /// What shows it.
    pub proof: Proof,
}

/// Every clause, in the policy's order.
pub fn clauses() -> impl Iterator<Item = &'static Clause> {
    [data::CLAUSES, rights::CLAUSES, law::CLAUSES].into_iter().flatten()
}
