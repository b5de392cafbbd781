//! Identifiers: short, random, typed, with a prefix that says what they name.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::secrets::Pepper;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Length of the random part of an id: 12 base62 characters, 71 bits.
pub const ID_LEN: usize = 12;

/// Whether `text` is of exactly `len` base62 characters.
pub fn is_base62(text: &str, len: usize) -> bool {
    text.len() == len && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// `len` base62 characters without bias, drawn from the operating system.
pub fn random_base62(len: usize) -> String {
    let mut pool = [0; 64];
    let mut left = 0;
    base62_from(len, || {
        if left == 0 {
            // The one source of randomness on Lambda; without it no key may be made.
            getrandom::fill(&mut pool).expect("the operating system gives random bytes");
            left = pool.len();
        }
        left -= 1;
        pool[left]
    })
}

/// `len` base62 characters without bias from a stream of uniform bytes.
pub fn base62_from(len: usize, mut next: impl FnMut() -> u8) -> String {
    let mut text = String::with_capacity(len);
    while text.len() < len {
        let byte = usize::from(next());
        // 248 = 4 × 62: the rest would favour the first characters.
        if byte < 248 {
            text.push(char::from(ALPHABET[byte % 62]));
        }
    }
    text
}

/// `value` in base62, padded with zeros to `len` characters (six hold any `u32`).
pub fn base62_number(mut value: u32, len: usize) -> String {
    let mut digits = vec![b'0'; len];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[value as usize % 62];
        value /= 62;
    }
    digits.into_iter().map(char::from).collect()
}

/// `len` base62 characters that follow from `seed` for whoever holds the pepper.
pub fn derived_base62(len: usize, pepper: &Pepper, purpose: &str, seed: &str) -> String {
    let mut stream = pepper.derive(purpose, seed);
    base62_from(len, || {
        let mut byte = [0];
        stream.fill(&mut byte);
        byte[0]
    })
}

/// The text is not an id of the wanted kind.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not an id of this kind")]
pub struct InvalidId;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// A new random id.
            pub fn random() -> Self {
                Self(random_base62(ID_LEN))
            }

            /// The id whose random part is `tag` (12 base62 characters).
            pub fn from_tag(tag: &str) -> Result<Self, InvalidId> {
                if is_base62(tag, ID_LEN) { Ok(Self(tag.to_owned())) } else { Err(InvalidId) }
            }

            /// The id that follows from `seed`: the same each time, so that doing something again
            /// comes to the same. Only the holder of the pepper can compute it.
            pub fn derived(pepper: &Pepper, seed: &str) -> Self {
                Self(derived_base62(ID_LEN, pepper, concat!($prefix, " id"), seed))
            }

            /// The part after the prefix.
            pub fn tag(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::from_tag(text.strip_prefix(concat!($prefix, "_")).ok_or(InvalidId)?)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

id!(
    /// An account. Its tag also routes the account's API keys to their Redis slot.
    AccountId,
    "acc"
);
id!(
    /// The public name of an API key: safe to show and to log.
    KeyId,
    "key"
);

id!(
    /// A request under privacy law. Cannot be guessed: whoever has it may read what became of it.
    RequestId,
    "req"
);

id!(
    /// A creator's objection, or its withdrawal. Cannot be guessed: whoever has it may read where it
    /// stands.
    ObjectionId,
    "obj"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_and_refuse_others() {
        let id = AccountId::random();
        assert_eq!(id.to_string().parse(), Ok(id.clone()));
        for wrong in ["", "acc_", "key_ABCDEFGHIJKL", "acc_ABCDEFGHIJK", "acc_ABCDEFGHIJKé"] {
            assert_eq!(wrong.parse::<AccountId>(), Err(InvalidId), "{wrong}");
        }
    }

    #[test]
    fn numbers_are_padded() {
        assert_eq!(base62_number(0, 6), "000000");
        assert_eq!(base62_number(61, 6), "00000z");
        assert_eq!(base62_number(u32::MAX, 6), "4gfFC3");
    }
}
