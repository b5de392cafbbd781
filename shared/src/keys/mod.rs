//! API keys: `tvi_<live|test>_<account tag>_<secret>_<checksum>`.
//!
//! The account tag routes to the account's Redis slot before anything is looked up; the checksum
//! refuses typos and noise without any I/O; the prefix lets secret scanners find leaked keys. Only a
//! keyed hash is stored; the key itself is shown once.

mod create;
mod store;

use std::{fmt, str::FromStr};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

pub(crate) use self::store::revoke_again;
pub use self::{
    create::create,
    store::{Known, MAX_KEYS, Recovery, find, insert, known, list, mark_used, recover, revoke},
};
use crate::{
    error::{AuthError, InputError},
    ids::{AccountId, ID_LEN, KeyId, base62_number, derived_base62, is_base62, random_base62},
    secrets::{Pepper, Peppers},
};

const SECRET_LEN: usize = 32;
const CHECKSUM_LEN: usize = 6;

/// What a key is good for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// Real data, metered.
    #[default]
    Live,
    /// The sandbox: made-up data, always the same, not metered.
    Test,
}

impl Environment {
    fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }
}

/// A key of the right form. Whether it is live is for the gate to say.
#[derive(Clone)]
pub struct ApiKey {
    environment: Environment,
    account: AccountId,
    text: SecretString,
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey").field("account", &self.account).finish_non_exhaustive()
    }
}

impl ApiKey {
    /// A new random key of `account`.
    pub fn random(account: AccountId, environment: Environment) -> Self {
        Self::assemble(account, environment, &random_base62(SECRET_LEN))
    }

    /// The key that `seed` stands for: the same each time, so that a request that is tried again is
    /// answered as before without the key being stored. Nobody without the pepper can compute it.
    pub fn derived(
        account: AccountId,
        environment: Environment,
        pepper: &Pepper,
        seed: &str,
    ) -> Self {
        let seed = format!("{account}\0{seed}");
        let secret = derived_base62(SECRET_LEN, pepper, "api key secret", &seed);
        Self::assemble(account, environment, &secret)
    }

    fn assemble(account: AccountId, environment: Environment, secret: &str) -> Self {
        let body = format!("tvi_{}_{}_{secret}", environment.name(), account.tag());
        let text = format!("{body}_{}", checksum(&body)).into();
        Self { environment, account, text }
    }

    /// Whether it is a live or a sandbox key.
    pub fn environment(&self) -> Environment {
        self.environment
    }

    /// The account that the key claims to be of.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// The key itself, to show once.
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }

    /// What may be shown later, so that a person knows one key from another.
    pub fn hint(&self) -> String {
        let text = self.expose();
        let secret = text.len() - CHECKSUM_LEN - 1 - 4;
        format!("tvi_{}_…{}", self.environment.name(), &text[secret..secret + 4])
    }

    /// The stored form.
    pub fn hash(&self, pepper: &Pepper) -> String {
        pepper.hash("api key", self.expose())
    }

    /// Every stored form that the key may have: under the pepper in use first, then under the others.
    pub fn hashes(&self, peppers: &Peppers) -> Vec<String> {
        peppers.all().map(|pepper| self.hash(pepper)).collect()
    }
}

impl FromStr for ApiKey {
    type Err = AuthError;

    fn from_str(text: &str) -> Result<Self, AuthError> {
        let parse = || {
            let (body, sum) = text.rsplit_once('_')?;
            let mut parts = body.split('_');
            let (prefix, environment) = (parts.next()?, parts.next()?);
            let (tag, secret) = (parts.next()?, parts.next()?);
            let environment = match environment {
                "live" => Environment::Live,
                "test" => Environment::Test,
                _ => return None,
            };
            let account = AccountId::from_tag(tag).ok()?;
            let good = prefix == "tvi"
                && parts.next().is_none()
                && tag.len() == ID_LEN
                && is_base62(secret, SECRET_LEN)
                && sum == checksum(body);
            good.then(|| Self { environment, account, text: text.to_owned().into() })
        };
        parse().ok_or(AuthError::Malformed)
    }
}

fn checksum(body: &str) -> String {
    base62_number(crc32fast::hash(body.as_bytes()), CHECKSUM_LEN)
}

/// What is stored of a key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyItem {
    /// The account it belongs to.
    pub account: AccountId,
    /// Public id.
    pub key_id: KeyId,
    /// Keyed hash of the key.
    pub hash: String,
    /// Version of the pepper behind `hash`.
    pub pepper_version: u32,
    /// The customer's name for it.
    pub name: String,
    /// What it is good for. Keys from before there was a sandbox do not say: they are live.
    #[serde(default)]
    pub environment: Environment,
    /// End of the secret, to recognise it by.
    pub hint: String,
    /// Epoch seconds.
    pub created_at: i64,
    /// Epoch seconds of the latest use that has been rolled up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<i64>,
}

impl KeyItem {
    /// What to store of `key`.
    pub fn new(
        key: &ApiKey,
        key_id: KeyId,
        name: KeyName,
        pepper: &Pepper,
        now: OffsetDateTime,
    ) -> Self {
        Self {
            account: key.account().clone(),
            key_id,
            hash: key.hash(pepper),
            pepper_version: pepper.version,
            name: name.0,
            environment: key.environment(),
            hint: key.hint(),
            created_at: now.unix_timestamp(),
            last_used_at: None,
        }
    }
}

impl KeyItem {
    /// Whether a request that is tried again may still be answered with the key itself: for a day.
    pub fn may_be_shown_again(&self, now: OffsetDateTime) -> bool {
        now.unix_timestamp() - self.created_at <= 24 * 3600
    }
}

/// A customer's name for a key: 1 to 64 characters, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyName(String);

impl KeyName {
    /// Checks and trims `name`.
    pub fn parse(name: &str) -> Result<Self, InputError> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > 64 || name.chars().any(char::is_control) {
            return Err(InputError::field("name", "must be 1 to 64 printable characters"));
        }
        Ok(Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A key as its owner sees it.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyView {
    /// Public id, for revoking it.
    #[schema(example = "key_3cRt0pQ9sLmX")]
    pub id: String,
    /// Your name for it.
    #[schema(example = "production")]
    pub name: String,
    /// `live`: real data, metered; `test`: the sandbox.
    #[schema(example = "live")]
    pub environment: Environment,
    /// Start and end of the key, to recognise it by.
    #[schema(example = "tvi_live_…9fQz")]
    pub hint: String,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime, example = "2026-11-01T09:30:00Z")]
    pub created_at: OffsetDateTime,
    /// When it was last used, up to five minutes behind; null if never.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime, required, example = "2026-11-24T11:58:00Z")]
    pub last_used_at: Option<OffsetDateTime>,
}

/// A key that was just made: the only answer that ever holds the key itself.
#[derive(Serialize, ToSchema)]
pub struct NewKeyView {
    /// The key. It is shown this once and cannot be shown again.
    #[schema(example = "tvi_live_4kPq9ZtR2mWx_8Jd0sVb3NcQ7yLh5TgXe1RfKu6MaPo2w_1aB2cD")]
    pub key: String,
    /// What later lists show of it.
    #[serde(flatten)]
    pub view: KeyView,
}

impl From<&KeyItem> for KeyView {
    fn from(item: &KeyItem) -> Self {
        let time = |seconds| OffsetDateTime::from_unix_timestamp(seconds).ok();
        Self {
            id: item.key_id.to_string(),
            name: item.name.clone(),
            environment: item.environment,
            hint: item.hint.clone(),
            created_at: time(item.created_at).unwrap_or(OffsetDateTime::UNIX_EPOCH),
            last_used_at: item.last_used_at.and_then(time),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_round_trips_and_hides_itself() {
        for environment in [Environment::Live, Environment::Test] {
            let key = ApiKey::random(AccountId::random(), environment);
            let read: ApiKey = key.expose().parse().expect("a new key");
            assert_eq!((read.account(), read.environment()), (key.account(), environment));
            let start = format!("tvi_{}_", environment.name());
            assert!(key.expose().starts_with(&start) && key.hint().starts_with(&start));
            let pepper = Pepper::new(1, [7; 32]);
            assert_eq!(read.hash(&pepper), key.hash(&pepper));
            assert!(!format!("{key:?} {}", key.hint()).contains(&key.expose()[22..50]));
        }
    }

    #[test]
    fn a_key_that_was_stored_without_an_environment_is_live() {
        let key = ApiKey::random(AccountId::random(), Environment::Test);
        let name = KeyName::parse("ci").expect("a name");
        let pepper = Pepper::new(1, [7; 32]);
        let item = KeyItem::new(&key, KeyId::random(), name, &pepper, OffsetDateTime::UNIX_EPOCH);
        let mut stored = serde_json::to_value(&item).expect("JSON");
        assert_eq!(stored["environment"], "test");
        let read = |stored| serde_json::from_value::<KeyItem>(stored).expect("an item");
        assert_eq!(KeyView::from(&read(stored.clone())).environment, Environment::Test);
        stored.as_object_mut().expect("an object").remove("environment");
        assert_eq!(read(stored).environment, Environment::Live);
    }

    #[test]
    fn a_derived_key_is_stable_and_bound_to_its_seed() {
        let (account, pepper) = (AccountId::random(), Pepper::new(1, [7; 32]));
        let derived = |environment, pepper: &Pepper, seed: &str| {
            ApiKey::derived(account.clone(), environment, pepper, seed).expose().to_owned()
        };
        let key = |seed| derived(Environment::Live, &pepper, seed);
        assert_eq!(key("a"), key("a"));
        assert_ne!(key("a"), key("b"));
        assert_ne!(key("a"), derived(Environment::Test, &pepper, "a"));
        assert_ne!(key("a"), derived(Environment::Live, &Pepper::new(2, [8; 32]), "a"));
    }

    proptest! {
        #[test]
        fn any_one_changed_character_is_refused(at in 0usize..62, with in "[ -~]") {
            let key = ApiKey::random(AccountId::random(), Environment::Live);
            let mut text = key.expose().to_owned();
            let at = at % text.len();
            prop_assume!(text[at..=at] != with);
            text.replace_range(at..=at, &with);
            prop_assert_eq!(text.parse::<ApiKey>().err(), Some(AuthError::Malformed));
        }

        #[test]
        fn nothing_makes_the_parser_panic(text in ".{0,200}") {
            prop_assert!(text.parse::<ApiKey>().is_err());
        }
    }
}
