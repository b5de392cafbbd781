use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use utoipa::ToSchema;

use super::VideoId;

/// An interface of TikTok. The later one is preferred where both know a field: Research states it
/// field by field, oEmbed words it for display.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The public embedding interface.
    Oembed,
    /// The Research API, with the operator's credentials.
    Research,
}

impl Source {
    /// Every source, least preferred first.
    pub const ALL: [Self; 2] = [Self::Oembed, Self::Research];

    /// Name in answers and in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Oembed => "oembed",
            Self::Research => "research",
        }
    }
}

/// Whether a source said it, or we read it out of what the source said. What was said is preferred.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Provenance {
    /// Read out of another field, for example a hashtag out of the caption.
    #[serde(rename = "d")]
    Derived,
    /// A field of the source.
    #[default]
    #[serde(rename = "o")]
    Observed,
}

impl Provenance {
    fn is_observed(&self) -> bool {
        *self == Self::Observed
    }
}

/// One value and where it came from. The greater fact is the better one: the order of the fields
/// matters. It is total, so that merging does not depend on who answered first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fact<T> {
    /// Whether the source said it.
    #[serde(rename = "p", default, skip_serializing_if = "Provenance::is_observed")]
    pub provenance: Provenance,
    /// Who answered.
    #[serde(rename = "s")]
    pub source: Source,
    /// The value.
    #[serde(rename = "v")]
    pub value: T,
}

/// What asking one source came to; the greater one is the more telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Outcome {
    /// The operator has not switched it on.
    #[serde(rename = "off")]
    Disabled,
    /// It was not asked: it is busy, or its allowance is used up.
    #[serde(rename = "left")]
    LeftAlone,
    /// It did not answer, or not usably.
    #[serde(rename = "failed")]
    Failed,
    /// It has no such video, or does not show it.
    #[serde(rename = "none")]
    NotFound,
    /// It answered at this epoch second.
    #[serde(rename = "at")]
    Answered(i64),
}

/// A picture of the video, at an address that expires.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Thumbnail {
    /// Address at TikTok's delivery network.
    pub url: String,
    /// Pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Epoch second after which the address no longer works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
}

/// A label as the Research API gives it. Its documents disagree about what the numbers mean, so they
/// are passed on as they are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct Label {
    /// Kind of label: `AIGC` (made with AI) or `Branded` (paid partnership).
    #[schema(examples("AIGC"))]
    #[serde(rename = "type")]
    pub kind: String,
    /// The source's number within the kind.
    #[schema(examples(1))]
    pub number: i64,
}

macro_rules! facts {
    ($($(#[$doc:meta])* $field:ident: $type:ty = $key:literal,)*) => {
        /// Every field that any source knows. What nobody said is absent.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub struct Facts {
            $(
                $(#[$doc])*
                #[serde(rename = $key, default, skip_serializing_if = "Option::is_none")]
                pub $field: Option<Fact<$type>>,
            )*
            /// Every other handle that a source gave for the creator. Sources lag: one may still say the
            /// old name while another says the new one, and either may be on the list of objections.
            #[serde(rename = "hs", default, skip_serializing_if = "BTreeSet::is_empty")]
            pub handles: BTreeSet<String>,
        }

        impl Facts {
            /// The better fact of each field.
            pub fn merge(self, other: Self) -> Self {
                let names = [&self.username, &other.username].into_iter().flatten();
                let mut handles: BTreeSet<String> = names.map(|it| it.value.clone()).collect();
                handles.extend(self.handles);
                handles.extend(other.handles);
                let merged = Self { handles, $($field: self.$field.max(other.$field),)* };
                merged.without_own_name()
            }
        }
    };
}

impl Facts {
    /// The name that is answered with is no other one.
    fn without_own_name(mut self) -> Self {
        if let Some(username) = &self.username {
            self.handles.remove(&username.value);
        }
        self
    }
}

facts! {
    /// Handle without `@`.
    username: String = "un",
    /// Name as shown.
    display_name: String = "dn",
    /// Text under the video.
    caption: String = "ca",
    /// Without `#`, in order of appearance.
    hashtags: Vec<String> = "ht",
    /// Handles without `@`, in order of appearance.
    mentions: Vec<String> = "me",
    /// TikTok's id of the sound.
    sound_id: u64 = "si",
    /// Title of the sound.
    sound_title: String = "st",
    /// Length in seconds.
    duration_seconds: u64 = "du",
    /// Epoch second.
    created_at: i64 = "cr",
    /// A picture.
    thumbnail: Thumbnail = "th",
    /// Country in which the creator registered, ISO 3166-1 alpha-2.
    country: String = "co",
    /// Labels: AI-made, paid partnership.
    labels: Vec<Label> = "la",
    /// Views.
    views: u64 = "vi",
    /// Likes.
    likes: u64 = "li",
    /// Comments.
    comments: u64 = "cm",
    /// Shares.
    shares: u64 = "sh",
    /// Times the video was saved as a favourite.
    saves: u64 = "sa",
}

/// What is known of a video: what the cache keeps. Holds the country whatever the plan; answers for
/// plans without it leave it out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoRecord {
    #[serde(rename = "v", deserialize_with = "this_version")]
    version: u8,
    /// The video.
    pub id: VideoId,
    /// What oEmbed said.
    #[serde(rename = "o")]
    pub oembed: Outcome,
    /// What Research said.
    #[serde(rename = "r")]
    pub research: Outcome,
    /// What they know.
    #[serde(rename = "f")]
    pub facts: Facts,
    /// Whether a source was not asked because the asker's share of it is used up: others may have more.
    #[serde(rename = "s", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_askers_own: bool,
}

/// Counts up when records of before can no longer be read; those then count as absent.
const VERSION: u8 = 2;

fn this_version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    match u8::deserialize(deserializer)? {
        VERSION => Ok(VERSION),
        _ => Err(D::Error::custom("a record of another version")),
    }
}

impl VideoRecord {
    /// Nothing known yet, no source asked.
    pub fn empty(id: VideoId) -> Self {
        Self {
            version: VERSION,
            id,
            oembed: Outcome::Disabled,
            research: Outcome::Disabled,
            facts: Facts::default(),
            is_askers_own: false,
        }
    }

    /// With what `source` came to, and what it said.
    pub fn with(mut self, source: Source, outcome: Outcome, facts: Facts) -> Self {
        let slot = match source {
            Source::Oembed => &mut self.oembed,
            Source::Research => &mut self.research,
        };
        *slot = (*slot).max(outcome);
        self.facts = self.facts.merge(facts);
        self
    }

    /// Every handle that any source gave for its creator.
    pub fn creators(&self) -> Vec<&str> {
        let Facts { username, handles, .. } = &self.facts;
        let username = username.iter().map(|name| name.value.as_str());
        username.chain(handles.iter().map(String::as_str)).collect()
    }

    /// What asking `source` came to.
    pub fn outcome(&self, source: Source) -> Outcome {
        match source {
            Source::Oembed => self.oembed,
            Source::Research => self.research,
        }
    }

    /// Epoch second of the oldest answer in it; `None` if no source answered.
    pub fn fetched_at(&self) -> Option<i64> {
        let answered = Source::ALL.into_iter().filter_map(|source| match self.outcome(source) {
            Outcome::Answered(at) => Some(at),
            _ => None,
        });
        answered.min()
    }

    /// The most preferred source that answered.
    pub(super) fn answered_by(&self) -> Option<Source> {
        let answered = |source: &Source| matches!(self.outcome(*source), Outcome::Answered(_));
        Source::ALL.into_iter().rev().find(answered)
    }

    /// Whether every source that is switched on gave its word. Where not, asking again soon helps.
    pub fn is_complete(&self) -> bool {
        let is_missing = |outcome| matches!(outcome, Outcome::Failed | Outcome::LeftAlone);
        !Source::ALL.into_iter().any(|source| is_missing(self.outcome(source)))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Boxed: the whole of it is too large for a test thread's stack.
    fn fact<T: std::fmt::Debug + 'static>(
        value: impl Strategy<Value = T> + 'static,
    ) -> BoxedStrategy<Option<Fact<T>>> {
        let provenance = prop_oneof![Just(Provenance::Observed), Just(Provenance::Derived)];
        let source = prop_oneof![Just(Source::Oembed), Just(Source::Research)];
        let fact = (provenance, source, value).prop_map(|(provenance, source, value)| Fact {
            provenance,
            source,
            value,
        });
        prop::option::of(fact).boxed()
    }

    fn some_facts() -> BoxedStrategy<Facts> {
        let words = || prop::collection::vec("\\PC{1,8}", 0..3);
        let thumbnail = any::<(Option<u32>, Option<i64>)>().prop_map(|(width, expires_at)| {
            Thumbnail { url: "https://example.com/".to_owned(), width, height: width, expires_at }
        });
        let labels = prop::collection::vec(
            ("[A-Z]{1,4}", any::<i64>()).prop_map(|(kind, number)| Label { kind, number }),
            0..3,
        );
        (
            (fact("\\PC{0,9}"), fact("\\PC{0,9}"), fact("\\PC{0,9}"), fact(words()), fact(words())),
            (
                fact(any::<u64>()),
                fact("\\PC{0,9}"),
                fact(any::<u64>()),
                fact(any::<i64>()),
                fact(thumbnail),
            ),
            (fact("[A-Z]{2}"), fact(labels)),
            (
                fact(any::<u64>()),
                fact(any::<u64>()),
                fact(0..3u64),
                fact(any::<u64>()),
                fact(any::<u64>()),
            ),
        )
            .prop_map(|(a, b, c, d)| Facts {
                username: a.0,
                display_name: a.1,
                caption: a.2,
                hashtags: a.3,
                mentions: a.4,
                sound_id: b.0,
                sound_title: b.1,
                duration_seconds: b.2,
                created_at: b.3,
                thumbnail: b.4,
                country: c.0,
                labels: c.1,
                views: d.0,
                likes: d.1,
                comments: d.2,
                shares: d.3,
                saves: d.4,
                handles: BTreeSet::new(),
            })
            .boxed()
    }

    fn outcome() -> impl Strategy<Value = Outcome> {
        prop_oneof![
            Just(Outcome::Disabled),
            Just(Outcome::LeftAlone),
            Just(Outcome::Failed),
            Just(Outcome::NotFound),
            (0..4_000_000_000i64).prop_map(Outcome::Answered),
        ]
    }

    /// Any JSON at all, with the names that the sources use among its keys.
    pub(crate) fn any_json() -> impl Strategy<Value = serde_json::Value> {
        use serde_json::Value;
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "(\\PC|[\x00-\x1f]){0,20}".prop_map(Value::from),
        ];
        let key = prop_oneof![
            "[a-z]{1,3}",
            prop::sample::select(&["data", "videos", "error", "code", "id", "type", "number"][..])
                .prop_map(str::to_owned),
        ];
        leaf.prop_recursive(4, 32, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::hash_map(key.clone(), inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// Any record at all, sensible or not.
    pub(crate) fn any_record() -> impl Strategy<Value = VideoRecord> {
        (1..=u64::MAX, outcome(), outcome(), some_facts()).prop_map(
            |(id, oembed, research, facts)| {
                VideoRecord::empty(VideoId::new(id).unwrap())
                    .with(Source::Oembed, oembed, facts)
                    .with(Source::Research, research, Facts::default())
            },
        )
    }

    proptest! {
        #[test]
        fn records_round_trip(record in any_record()) {
            let json = serde_json::to_string(&record).unwrap();
            prop_assert_eq!(serde_json::from_str::<VideoRecord>(&json).unwrap(), record);
        }

        #[test]
        fn merging_does_not_depend_on_order(a in some_facts(), b in some_facts(), c in some_facts()) {
            let merged = a.clone().merge(b.clone()).merge(c.clone());
            prop_assert_eq!(&merged, &c.clone().merge(a.clone()).merge(b.clone()));
            prop_assert_eq!(&merged, &a.merge(b.merge(c)));
            prop_assert_eq!(&merged, &merged.clone().merge(merged.clone()));
        }
    }

    #[test]
    fn what_research_says_comes_before_what_oembed_words() {
        let word = |provenance, source| Fact { provenance, source, value: vec!["a".to_owned()] };
        let read = word(Provenance::Derived, Source::Oembed);
        let said = word(Provenance::Observed, Source::Research);
        let of = |fact| Facts { hashtags: Some(fact), ..Facts::default() };
        assert_eq!(of(read.clone()).merge(of(said.clone())), of(said));
        assert_eq!(of(read.clone()).merge(Facts::default()), of(read));
    }

    #[test]
    fn records_of_another_version_are_not_read() {
        let record = VideoRecord::empty(VideoId::new(7).unwrap());
        let json = serde_json::to_string(&record).unwrap();
        assert_eq!(json, r#"{"v":2,"id":"7","o":"off","r":"off","f":{}}"#);
        assert!(serde_json::from_str::<VideoRecord>(&json.replace("\"v\":2", "\"v\":1")).is_err());
    }

    #[test]
    fn every_handle_that_a_source_gave_is_kept_once() {
        let named = |source, name: &str| {
            let provenance = Provenance::Observed;
            let fact = Fact { provenance, source, value: name.to_owned() };
            Facts { username: Some(fact), ..Facts::default() }
        };
        let names = |facts: Facts| {
            let record = VideoRecord::empty(VideoId::new(7).unwrap());
            let record = record.with(Source::Oembed, Outcome::Answered(0), facts);
            let json = serde_json::to_string(&record).unwrap();
            let kept: VideoRecord = serde_json::from_str(&json).unwrap();
            assert_eq!(kept, record);
            kept.creators().iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()
        };
        let (new, old) = (named(Source::Oembed, "new"), named(Source::Research, "old"));
        for merged in [new.clone().merge(old.clone()), old.clone().merge(new.clone())] {
            assert_eq!(names(merged.clone()), ["old", "new"]);
            assert_eq!(
                names(merged.merge(named(Source::Oembed, "third"))),
                ["old", "new", "third"]
            );
        }
        assert_eq!(names(old.clone().merge(old)), ["old"]);
        assert_eq!(names(new), ["new"]);
    }
}
