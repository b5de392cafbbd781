use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{error::InputError, secrets::Pepper};

/// Longest handle that any source shows; TikTok gives out 24 characters today.
const MAX_LEN: usize = crate::video::MAX_HANDLE;

/// A creator's handle, in lower case and without `@`: TikTok tells none apart by case. Redacted wherever
/// it is printed.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Username(String);

impl Username {
    /// Checks and normalises `text`.
    pub fn parse(text: &str) -> Result<Self, InputError> {
        let name = normal(text);
        let is_allowed = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '_' | '-');
        if name.is_empty() || name.len() > MAX_LEN || !name.chars().all(is_allowed) {
            let reason = format!(
                "must be a TikTok handle: 1 to {MAX_LEN} letters, digits, underscores, dots and hyphens"
            );
            return Err(InputError::field("username", reason));
        }
        Ok(Self(name))
    }

    /// The handle.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Keyed hash by which an objection is found.
    pub(super) fn hash(&self, pepper: &Pepper) -> String {
        hash(&self.0, pepper)
    }
}

impl fmt::Debug for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Username(…)")
    }
}

/// As [`Username::hash`], of a handle as a source gives it, whatever is in it.
pub(super) fn hash_as_given(name: &str, pepper: &Pepper) -> String {
    hash(&normal(name), pepper)
}

fn hash(name: &str, pepper: &Pepper) -> String {
    pepper.hash("creator", name)
}

/// Sources have been seen to leave control characters in names.
fn normal(text: &str) -> String {
    let text: String = text.chars().filter(|it| !it.is_control()).collect();
    let text = text.trim();
    text.strip_prefix('@').unwrap_or(text).to_lowercase()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn handles_are_checked_and_normalised() {
        for text in ["made.up", "@made.up", " @Made.Up ", "MADE.UP"] {
            assert_eq!(Username::parse(text).expect("a handle").expose(), "made.up");
        }
        assert!(!format!("{:?}", Username::parse("made.up")).contains("made.up"));
        let long = "a".repeat(MAX_LEN + 1);
        for wrong in ["", "@", "@@made.up", "made up", "mäde.up", "a/b", "a\"b", &long] {
            assert!(Username::parse(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_handle_has_one_hash_however_it_is_written(name in "[a-z0-9._]{1,24}") {
            let pepper = Pepper::new(1, [1; 32]);
            let hash = Username::parse(&name).expect("a handle").hash(&pepper);
            let (upper, at) = (name.to_uppercase(), format!("@{name}"));
            for given in [upper, at, format!("{name}\0")] {
                prop_assert_eq!(hash_as_given(&given, &pepper), hash.clone());
            }
        }

        #[test]
        fn nothing_makes_the_parser_panic_and_what_it_lets_through_needs_no_escape(
            text in any::<String>(),
        ) {
            if let Ok(name) = Username::parse(&text) {
                prop_assert_eq!(format!("{:?}", name.expose()), format!("\"{}\"", name.expose()));
                prop_assert_eq!(Username::parse(name.expose()), Ok(name.clone()));
            }
        }
    }
}
