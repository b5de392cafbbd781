//! The condition language of the Research API.

use serde::{Deserialize, Deserializer};
use time::{Date, Duration, Month, OffsetDateTime};

use super::{CatalogueVideo, page::Window};

/// A request, as the documents describe it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    query: Query,
    start_date: String,
    end_date: String,
    max_count: Option<i64>,
    #[serde(default, deserialize_with = "not_null")]
    cursor: Option<i64>,
    #[serde(default, deserialize_with = "not_null")]
    pub(super) search_id: Option<String>,
    #[serde(default)]
    pub(super) is_random: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    #[serde(default)]
    and: Vec<Condition>,
    #[serde(default)]
    or: Vec<Condition>,
    #[serde(default)]
    not: Vec<Condition>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Condition {
    operation: Operation,
    field_name: Field,
    field_values: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
enum Operation {
    Eq,
    In,
    Gt,
    Gte,
    Lt,
    Lte,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Field {
    CreateDate,
    Username,
    RegionCode,
    VideoId,
    HashtagName,
    Keyword,
    MusicId,
    EffectId,
    VideoLength,
    ViewCount,
    CommentCount,
}

/// A checked request.
#[derive(Debug)]
pub(super) struct Search {
    query: Query,
    start: Date,
    end: Date,
    pub(super) window: Window,
}

/// Longest span of dates, in days.
const MAX_SPAN: Duration = Duration::days(30);

impl Request {
    /// Checks what the API checks; the error is its message.
    pub(super) fn check(self) -> Result<Search, &'static str> {
        let day = |text: &str| parse_day(text).ok_or("Invalid date");
        let (start, end) = (day(&self.start_date)?, day(&self.end_date)?);
        if end < start || end - start > MAX_SPAN {
            return Err("The date range must be within 30 days");
        }
        let window = Window::check(self.cursor, self.max_count, 20)?;
        let all = || [&self.query.and, &self.query.or, &self.query.not].into_iter().flatten();
        if all().next().is_none() {
            return Err("The query is empty");
        }
        if !all().all(Condition::is_valid) {
            return Err("Invalid condition");
        }
        Ok(Search { query: self.query, start, end, window })
    }
}

impl Search {
    /// Whether the video lies between the dates, the first day included, and the last one unless it is
    /// left out.
    pub(super) fn covers(&self, video: &CatalogueVideo, excludes_end: bool) -> bool {
        day_of(video).is_some_and(|day| {
            (self.start..=self.end).contains(&day) && !(excludes_end && day == self.end)
        })
    }

    /// Whether the conditions hold for it.
    pub(super) fn matches(&self, video: &CatalogueVideo) -> bool {
        let Query { and, or, not } = &self.query;
        and.iter().all(|it| it.holds(video))
            && (or.is_empty() || or.iter().any(|it| it.holds(video)))
            && !not.iter().any(|it| it.holds(video))
    }
}

impl Condition {
    fn is_valid(&self) -> bool {
        let ordered =
            matches!(self.field_name, Field::CreateDate | Field::ViewCount | Field::CommentCount);
        let counts = match self.operation {
            Operation::In => !self.field_values.is_empty(),
            Operation::Eq => self.field_values.len() == 1,
            _ => ordered && self.field_values.len() == 1,
        };
        counts && self.field_values.iter().all(|value| self.field_name.takes(value))
    }

    fn holds(&self, video: &CatalogueVideo) -> bool {
        self.field_values.iter().any(|value| match self.field_name {
            Field::CreateDate => self.compares(day_of(video), parse_day(value)),
            Field::ViewCount => self.compares(video.statistics.map(|it| it.views), number(value)),
            Field::CommentCount => {
                self.compares(video.statistics.map(|it| it.comments), number(value))
            }
            Field::Username => video.username == value,
            Field::RegionCode => video.region == Some(value),
            Field::VideoId => number(value) == Some(video.id),
            Field::HashtagName => video.hashtags.contains(value),
            Field::Keyword => video.caption.to_lowercase().contains(&value.to_lowercase()),
            Field::MusicId => number(value) == Some(video.music_id),
            Field::EffectId => number(value).is_some_and(|id| video.effects.contains(&id)),
            Field::VideoLength => length(video.duration) == value,
        })
    }

    fn compares<T: PartialOrd>(&self, left: Option<T>, right: Option<T>) -> bool {
        let (Some(left), Some(right)) = (left, right) else { return false };
        match self.operation {
            Operation::Eq | Operation::In => left == right,
            Operation::Gt => left > right,
            Operation::Gte => left >= right,
            Operation::Lt => left < right,
            Operation::Lte => left <= right,
        }
    }
}

impl Field {
    fn takes(self, value: &str) -> bool {
        match self {
            Self::CreateDate => parse_day(value).is_some(),
            Self::VideoId
            | Self::MusicId
            | Self::EffectId
            | Self::ViewCount
            | Self::CommentCount => number(value).is_some(),
            Self::VideoLength => LENGTHS.contains(&value),
            Self::RegionCode => REGIONS.split(' ').any(|it| it == value),
            Self::Username | Self::HashtagName | Self::Keyword => !value.is_empty(),
        }
    }
}

/// The codes that the documents list: not every two letters are one.
const REGIONS: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO \
     BQ BR BS BT BV BW BY BZ CA CD CF CG CH CI CK CL CM CN CO CR CU CV CW CY CZ DE DJ DK DM \
     DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR \
     GT GU GW GY HK HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN \
     KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ \
     MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL \
     PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SK SL SM SN SO SR SS ST \
     SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TP TR TT TV TW TZ UA UG UM US UY UZ VA VC \
     VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

const LENGTHS: [&str; 4] = ["SHORT", "MID", "LONG", "EXTRA_LONG"];

fn length(seconds: u64) -> &'static str {
    match seconds {
        0..15 => LENGTHS[0],
        15..=60 => LENGTHS[1],
        61..=300 => LENGTHS[2],
        _ => LENGTHS[3],
    }
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok()
}

fn day_of(video: &CatalogueVideo) -> Option<Date> {
    OffsetDateTime::from_unix_timestamp(video.create_time).ok().map(OffsetDateTime::date)
}

/// What is left out may be missing, but is never `null`.
pub(super) fn not_null<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// `YYYYMMDD`.
fn parse_day(text: &str) -> Option<Date> {
    if text.len() != 8 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let month: u8 = text[4..6].parse().ok()?;
    Date::from_calendar_date(
        text[..4].parse().ok()?,
        Month::try_from(month).ok()?,
        text[6..].parse().ok()?,
    )
    .ok()
}
