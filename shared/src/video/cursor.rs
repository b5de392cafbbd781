//! The cursors of searches, sealed: where TikTok's page ended that a page of ours was made of would tell how
//! many of its videos were left out because their creators objected. All have the same length.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Serialize, de::DeserializeOwned};

use crate::secrets::{Pepper, Peppers};

const PURPOSE: &str = "search-cursor";
const NONCE_PURPOSE: &str = "search-cursor-nonce";

/// What is sealed is filled up with spaces to a multiple of this, which no cursor exceeds in practice.
const LENGTH: usize = 320;

/// Longest text that is opened, in bytes. Those made here have a little over 450.
const MAX_TEXT: usize = 1_000;

/// Seals and opens cursors.
#[derive(Clone, Debug)]
pub struct Cursors(Vec<Pepper>);

impl Cursors {
    /// Under keys that follow from the peppers: seals under the one in use, opens under each.
    pub fn new(peppers: &Peppers) -> Self {
        Self(peppers.all().cloned().collect())
    }

    /// The same content has the same text, so that an `ETag` stays. The nonce follows from the content: one
    /// and the same is used for one and the same content only.
    pub(super) fn seal(&self, content: &impl Serialize) -> Option<String> {
        let pepper = self.0.first()?;
        let json = serde_json::to_string(content).ok()?;
        let length = json.len().next_multiple_of(LENGTH);
        let padded = format!("{json:length$}");
        let mut nonce = [0; NONCE_LEN];
        pepper.derive(NONCE_PURPOSE, &padded).fill(&mut nonce);
        let mut bytes = padded.into_bytes();
        let unique = Nonce::assume_unique_for_key(nonce);
        cipher(pepper)?.seal_in_place_append_tag(unique, Aad::from(PURPOSE), &mut bytes).ok()?;
        let mut sealed = nonce.to_vec();
        sealed.append(&mut bytes);
        Some(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// What is in a text that was sealed here.
    pub(super) fn open<T: DeserializeOwned>(&self, text: &str) -> Option<T> {
        let sealed = URL_SAFE_NO_PAD.decode(text).ok().filter(|_| text.len() <= MAX_TEXT)?;
        let (nonce, rest) = sealed.split_at_checked(NONCE_LEN)?;
        self.0.iter().find_map(|pepper| {
            let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
            let mut bytes = rest.to_vec();
            let json = cipher(pepper)?.open_in_place(nonce, Aad::from(PURPOSE), &mut bytes).ok()?;
            serde_json::from_slice(json).ok()
        })
    }
}

fn cipher(pepper: &Pepper) -> Option<LessSafeKey> {
    let mut key = [0; 32];
    pepper.derive(PURPOSE, "").fill(&mut key);
    Some(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).ok()?))
}

/// Cursors under a key for tests.
#[cfg(test)]
pub(super) fn test_cursors() -> Cursors {
    Cursors(vec![Pepper::new(1, [7; 32])])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn peppers(current: u8, previous: Option<u8>) -> Cursors {
        let pepper = |n: u8| Pepper::new(n.into(), [n; 32]);
        let (current, previous) = (pepper(current), previous.map(pepper));
        Cursors::new(&Peppers { current, previous, next: None, retired: Vec::new() })
    }

    #[test]
    fn cursors_tell_nothing_by_length_and_last_over_a_rotation() {
        let (one, two) = (peppers(1, None), peppers(2, Some(1)));
        let short = one.seal(&1_u64).unwrap();
        let long = one.seal(&"x".repeat(LENGTH - 2)).unwrap();
        assert_eq!(short.len(), long.len());
        assert!(short.len() <= MAX_TEXT && short != long);
        assert_eq!(short, one.seal(&1_u64).unwrap());
        assert_eq!((one.open(&short), two.open(&short)), (Some(1_u64), Some(1)));
        assert_eq!(one.open::<u64>(&two.seal(&1_u64).unwrap()), None);
        assert_eq!(one.open::<String>(&short), None);
    }

    proptest! {
        #[test]
        fn any_text_is_survived_and_none_that_was_changed_is_opened(
            text in "\\PC{0,60}", at in 0..450_usize, to in "[A-Za-z0-9_-]",
        ) {
            let cursors = test_cursors();
            prop_assert_eq!(cursors.open::<u64>(&text), None);
            let mut changed = cursors.seal(&7_u64).unwrap();
            prop_assume!(at + 1 < changed.len() && changed[at..=at] != to);
            changed.replace_range(at..=at, &to);
            prop_assert_eq!(cursors.open::<u64>(&changed), None);
        }
    }
}
