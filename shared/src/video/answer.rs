use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{
    Fact, Label, Outcome, Source, Thumbnail, VideoId, VideoRecord,
    engagement::{Engagement, Standing},
    figure::{Basis, Figure, METADATA_LAG, Origin, Reason, STATISTICS_LAG, Timestamp},
};

/// What of a record a caller gets to see, and when.
#[derive(Clone, Debug)]
pub struct View {
    /// Whether the caller's plan includes the country.
    pub include_country: bool,
    /// Whether the record comes from the cache.
    pub cached: bool,
    /// Time of the request.
    pub now: OffsetDateTime,
    /// The creator, where it was looked up.
    pub standing: Standing,
}

/// A video. Every figure says where it comes from, when it was fetched, and how late it may be; one
/// that cannot be had is `null` with a reason. Every key is always present.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Video {
    /// TikTok's id of the video.
    pub id: VideoId,
    /// The video's page.
    #[schema(examples("https://www.tiktok.com/@made.up/video/7301234567890123456"))]
    pub url: String,
    /// Who published it.
    pub author: Author,
    /// The text under the video, at most 4,000 characters.
    pub caption: Figure<String>,
    /// Hashtags without `#`, in order of appearance; `derived` when read out of the caption.
    pub hashtags: Figure<Vec<String>>,
    /// Mentioned handles without `@`, in order of appearance; `derived` when read out of the caption.
    pub mentions: Figure<Vec<String>>,
    /// The sound.
    pub sound: Sound,
    /// Length in seconds.
    pub duration_seconds: Figure<u64>,
    /// When the video was created.
    pub created_at: Figure<Timestamp>,
    /// A picture of the video.
    pub thumbnail: Figure<Picture>,
    /// Country in which the creator registered (ISO 3166-1 alpha-2), not where the video was made. For
    /// plans that include it.
    pub country: Figure<String>,
    /// Labels on the video: made with AI, paid partnership.
    pub labels: Figure<Vec<Label>>,
    /// Counts.
    pub statistics: Statistics,
    /// Figures derived from the counts.
    pub engagement: Engagement,
    /// Whether this answer comes from the cache.
    pub cached: bool,
    /// Seconds since the oldest of its figures was fetched.
    #[schema(examples(0))]
    pub age_seconds: u64,
}

/// The creator of a video.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Author {
    /// Handle without `@`.
    pub username: Figure<String>,
    /// Name as shown.
    pub display_name: Figure<String>,
    /// The creator's page.
    pub url: Figure<String>,
}

/// The sound of a video.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Sound {
    /// TikTok's id of the sound; a string, because it does not fit a JavaScript number.
    pub id: Figure<String>,
    /// Its title.
    pub title: Figure<String>,
}

/// A picture at an address that stops working.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Picture {
    /// Address at TikTok's delivery network.
    #[schema(examples("https://p16-sign.tiktokcdn-us.com/example.image?x-expires=1764072000"))]
    pub url: String,
    /// Pixels; `null` if not stated.
    #[schema(required = true)]
    pub width: Option<u32>,
    /// Pixels; `null` if not stated.
    #[schema(required = true)]
    pub height: Option<u32>,
    /// When the address stops working; `null` if not stated.
    #[schema(required = true)]
    pub expires_at: Option<Timestamp>,
}

/// Counts as the source gives them.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Statistics {
    /// Views.
    pub views: Figure<u64>,
    /// Likes.
    pub likes: Figure<u64>,
    /// Comments.
    pub comments: Figure<u64>,
    /// Shares.
    pub shares: Figure<u64>,
    /// Times the video was saved as a favourite.
    pub saves: Figure<u64>,
}

const OEMBED: &[Source] = &[Source::Oembed];
const RESEARCH: &[Source] = &[Source::Research];
const BOTH: &[Source] = &[Source::Oembed, Source::Research];

impl Video {
    /// The answer that `record` gives to a caller with `view`.
    pub fn from_record(record: &VideoRecord, view: &View) -> Self {
        let facts = &record.facts;
        let username = text(record, &facts.username, BOTH);
        let created_at = created_at(record, view.now);
        let statistics = Statistics {
            views: count(record, &facts.views),
            likes: count(record, &facts.likes),
            comments: count(record, &facts.comments),
            shares: count(record, &facts.shares),
            saves: count(record, &facts.saves),
        };
        let age = record.fetched_at().map_or(0, |at| view.now.unix_timestamp().saturating_sub(at));
        Self {
            id: record.id,
            url: page(record.id, username.value.as_deref()),
            author: Author {
                url: username.derive(|name| format!("https://www.tiktok.com/@{name}")),
                display_name: text(record, &facts.display_name, OEMBED),
                username,
            },
            caption: text(record, &facts.caption, BOTH),
            hashtags: record.figure(&facts.hashtags, BOTH, METADATA_LAG, |it| Some(it.clone())),
            mentions: record.figure(&facts.mentions, BOTH, METADATA_LAG, |it| Some(it.clone())),
            sound: Sound {
                id: record.figure(&facts.sound_id, BOTH, METADATA_LAG, |it| Some(it.to_string())),
                title: text(record, &facts.sound_title, OEMBED),
            },
            duration_seconds: record.figure(
                &facts.duration_seconds,
                RESEARCH,
                METADATA_LAG,
                |it| Some(*it),
            ),
            thumbnail: record.figure(&facts.thumbnail, OEMBED, METADATA_LAG, |it| Some(it.into())),
            country: if view.include_country {
                text(record, &facts.country, RESEARCH)
            } else {
                Figure::unavailable(Reason::PlanDoesNotInclude)
            },
            labels: record.figure(&facts.labels, RESEARCH, METADATA_LAG, |it| Some(it.clone())),
            engagement: Engagement::of(
                &statistics,
                seconds_live(record, &created_at),
                &view.standing,
            ),
            created_at,
            statistics,
            cached: view.cached,
            age_seconds: u64::try_from(age).unwrap_or(0),
        }
    }
}

impl From<&Thumbnail> for Picture {
    fn from(thumbnail: &Thumbnail) -> Self {
        Self {
            url: thumbnail.url.clone(),
            width: thumbnail.width,
            height: thumbnail.height,
            expires_at: thumbnail.expires_at.and_then(Timestamp::from_unix),
        }
    }
}

/// The video's page. TikTok finds it by the id alone; any name may stand in the address.
pub(super) fn page(id: VideoId, username: Option<&str>) -> String {
    format!("https://www.tiktok.com/@{}/video/{id}", username.unwrap_or("_"))
}

fn text(record: &VideoRecord, fact: &Option<Fact<String>>, offered: &[Source]) -> Figure<String> {
    record.figure(fact, offered, METADATA_LAG, |it| Some(it.clone()))
}

fn count(record: &VideoRecord, fact: &Option<Fact<u64>>) -> Figure<u64> {
    record.figure(fact, RESEARCH, STATISTICS_LAG, |it| Some(*it))
}

/// The creation time as a source states it, else out of the id.
fn created_at(record: &VideoRecord, now: OffsetDateTime) -> Figure<Timestamp> {
    let stated = record
        .figure(&record.facts.created_at, RESEARCH, METADATA_LAG, |it| Timestamp::from_unix(*it));
    if stated.value.is_some() {
        return stated;
    }
    match record.id.created_at_from_id(now) {
        None => Figure::unavailable(Reason::NotDerivable),
        Some(at) => Figure {
            value: Timestamp::from_unix(at.unix_timestamp()),
            source: Some(Origin::Derived),
            fetched_at: None,
            lag_seconds_max: Some(0),
            basis: Basis::DerivedFromId,
            reason: None,
        },
    }
}

/// How long the video had been there when its statistics were fetched.
fn seconds_live(record: &VideoRecord, created_at: &Figure<Timestamp>) -> Figure<u64> {
    let Outcome::Answered(fetched) = record.research else {
        return Figure::unavailable(Reason::MissingInput);
    };
    created_at.derive(|at| u64::try_from(fetched.saturating_sub(at.unix())).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use serde_json::Value;
    use time::macros::datetime;
    use utoipa::OpenApi;

    use super::*;
    use crate::video::{Facts, Provenance, record::tests::any_record};

    const NOW: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);
    fn view() -> View {
        View { include_country: true, cached: true, now: NOW, standing: Standing::not_requested() }
    }

    fn answer(record: &VideoRecord, view: &View) -> Value {
        serde_json::to_value(Video::from_record(record, view)).unwrap()
    }

    fn record() -> VideoRecord {
        VideoRecord::empty("7301234567890123456".parse().unwrap())
    }

    fn paths(value: &Value, at: &str, into: &mut BTreeSet<String>) {
        match value.as_object() {
            // Values and inputs have shapes of their own.
            Some(fields) if !at.ends_with(".value") && !at.ends_with(".inputs") => {
                for (key, value) in fields {
                    paths(value, &format!("{at}.{key}"), into);
                }
            }
            _ => drop(into.insert(at.to_owned())),
        }
    }

    fn shape(value: &Value) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        paths(value, "", &mut found);
        found
    }

    #[test]
    fn a_missing_figure_says_why() {
        let missing = |oembed, research| {
            let record = record().with(Source::Oembed, oembed, Facts::default()).with(
                Source::Research,
                research,
                Facts::default(),
            );
            let answer = answer(&record, &view());
            let reason = |figure: &Value| figure["reason"].as_str().unwrap().to_owned();
            [&answer["caption"], &answer["statistics"]["views"], &answer["thumbnail"]].map(reason)
        };
        use Outcome::{Answered, Disabled, Failed, NotFound};
        assert_eq!(
            missing(Answered(1), Disabled),
            ["absent_in_answer", "source_disabled", "absent_in_answer"]
        );
        assert_eq!(
            missing(Answered(1), Failed),
            ["source_failed", "source_failed", "absent_in_answer"]
        );
        assert_eq!(
            missing(NotFound, Answered(1)),
            ["absent_in_answer", "absent_in_answer", "not_in_source"]
        );
        assert_eq!(missing(Failed, NotFound), ["source_failed", "not_in_source", "source_failed"]);
    }

    #[test]
    fn the_plan_decides_about_the_country_whatever_is_known() {
        let country = Fact {
            provenance: Provenance::Observed,
            source: Source::Research,
            value: "IE".to_owned(),
        };
        let facts = Facts { country: Some(country), ..Facts::default() };
        let record =
            record().with(Source::Research, Outcome::Answered(NOW.unix_timestamp()), facts);
        assert_eq!(answer(&record, &view())["country"]["value"], "IE");
        let without = answer(&record, &View { include_country: false, ..view() });
        assert_eq!(without["country"]["reason"], "plan_does_not_include");
        assert!(!without.to_string().contains("\"IE\""));
    }

    #[test]
    fn the_age_is_that_of_the_oldest_answer() {
        let answered = |ago| Outcome::Answered(NOW.unix_timestamp() - ago);
        let record = record().with(Source::Oembed, answered(10), Facts::default()).with(
            Source::Research,
            answered(70),
            Facts::default(),
        );
        let answer = answer(&record, &view());
        assert_eq!((&answer["age_seconds"], &answer["cached"]), (&70.into(), &true.into()));
    }

    #[test]
    fn the_schema_requires_every_key_that_is_always_there() {
        #[derive(OpenApi)]
        #[openapi(components(schemas(Video)))]
        struct Api;
        let api = serde_json::to_value(Api::openapi()).unwrap();
        let schemas = api["components"]["schemas"].as_object().unwrap();
        for (name, schema) in schemas {
            let Some(properties) = schema["properties"].as_object() else { continue };
            let required: BTreeSet<_> =
                schema["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            let all: BTreeSet<_> = properties.keys().map(String::as_str).collect();
            assert_eq!(required, all, "{name}");
        }
        for name in ["Video", "Figure_String", "Figure_Timestamp", "Figure_Picture", "Rate"] {
            assert!(schemas.contains_key(name), "{name} of {:?}", schemas.keys());
        }
    }

    proptest! {
        #[test]
        fn any_record_has_the_same_shape(
            record in any_record(),
            include_country in any::<bool>(),
            now in 0..4_000_000_000i64,
        ) {
            let now = OffsetDateTime::from_unix_timestamp(now).unwrap();
            let answer = answer(&record, &View { include_country, cached: false, now, ..view() });
            let empty = self::answer(&self::record(), &view());
            prop_assert_eq!(shape(&answer), shape(&empty));
        }

        #[test]
        fn a_figure_has_either_a_value_or_a_reason(record in any_record()) {
            fn check(value: &Value) -> bool {
                let Some(fields) = value.as_object() else { return true };
                if fields.contains_key("basis") {
                    let unavailable = fields["basis"] == "unavailable";
                    return fields["value"].is_null() == unavailable
                        && fields["reason"].is_null() != unavailable
                        && fields["source"].is_null() == unavailable;
                }
                fields.values().all(check)
            }
            prop_assert!(check(&answer(&record, &view())));
        }
    }
}
