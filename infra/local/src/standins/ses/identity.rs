//! Who may send as whom, and to whom: identities, configuration sets and the sandbox.

use std::collections::{BTreeMap, BTreeSet};

use super::{domain_of, fate::SIMULATOR};
use crate::template::ConfigurationSets;

/// What the account has set up.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// Verified addresses and domains, each with the configuration set that its mails have by default.
    identities: BTreeMap<String, Option<String>>,
    /// Configuration sets, and what they publish.
    sets: ConfigurationSets,
    /// Whether the account may send to verified identities only, as every new one.
    pub is_sandbox: bool,
}

impl Account {
    pub(super) fn verify(&mut self, identity: &str) {
        self.identities.entry(identity.to_lowercase()).or_default();
    }

    pub(super) fn add_sets(&mut self, sets: ConfigurationSets) {
        self.sets.extend(sets);
    }

    pub(super) fn set_default(&mut self, identity: &str, set: &str) {
        self.sets.entry(set.to_owned()).or_default();
        self.identities.insert(identity.to_lowercase(), Some(set.to_owned()));
    }

    pub(super) fn has_set(&self, name: &str) -> bool {
        self.sets.contains_key(name)
    }

    /// Whether the configuration set `name` publishes events of this kind.
    pub(super) fn publishes(&self, name: &str, kind: &str) -> bool {
        self.sets.get(name).is_some_and(|kinds| kinds.iter().any(|it| it == kind))
    }

    /// The verified identity that `address` belongs to: itself, else its domain or one above.
    pub(super) fn identity(&self, address: &str) -> Option<&str> {
        let domains = std::iter::successors(Some(domain_of(address)), |domain| {
            domain.split_once('.').map(|(_, above)| above)
        });
        let mut names = std::iter::once(address).chain(domains);
        names.find_map(|it| self.identities.get_key_value(it)).map(|(name, _)| name.as_str())
    }

    /// The configuration set of a mail from `sender`: the one that is named, else its identity's.
    pub(super) fn set_of(&self, named: Option<&str>, sender: &str) -> Option<String> {
        let default = || self.identities.get(self.identity(sender)?)?.clone();
        named.map(str::to_owned).or_else(default)
    }

    /// What a call that sends from `sender` to `recipients` is authorised on, as parts of ARNs: the sender's identity,
    /// the configuration set, and each recipient that is an identity of the account itself.
    pub(super) fn resources(
        &self,
        sender: &str,
        set: Option<&str>,
        recipients: &[String],
    ) -> BTreeSet<String> {
        let sender = self.identity(sender).unwrap_or(sender);
        let recipients = recipients.iter().filter_map(|it| self.identity(it));
        let identities = std::iter::once(sender).chain(recipients);
        let mut all: BTreeSet<_> = identities.map(|it| format!("identity/{it}")).collect();
        all.extend(set.map(|it| format!("configuration-set/{it}")));
        all
    }

    /// Those of the addresses that fail the check: a sender that is not verified, and in the sandbox recipients.
    pub(super) fn unverified<'a>(&self, sender: &'a str, recipients: &'a [String]) -> Vec<&'a str> {
        let mut checked = vec![sender];
        if self.is_sandbox {
            let simulated = |it: &&str| domain_of(it) == SIMULATOR;
            checked.extend(recipients.iter().map(String::as_str).filter(|it| !simulated(it)));
        }
        checked.into_iter().filter(|it| self.identity(it).is_none()).collect()
    }
}
