//! The videos: what each source says of one.

use time::OffsetDateTime;

use super::{
    Fault, Trouble,
    cases::{CREATORS, Creator, Shape, VIDEOS},
};
use crate::video::{
    Fact, Facts, Label, Outcome, Provenance, Source, Thumbnail, VideoId, VideoRecord,
};

/// A thumbnail's address works for so long.
const THUMBNAIL_SECONDS: i64 = 6 * 3_600;

/// A video is created so long after its id was given out.
const AFTER_ID: i64 = 10;

/// Longest caption.
const MAX_CAPTION: usize = 4_000;

/// What is known of the video, fetched at `now`.
pub fn video(id: VideoId, now: OffsetDateTime) -> Result<VideoRecord, Trouble> {
    let shape = find(id).map_err(|fault| fault.trouble(now))?;
    Ok(Made::new(id, shape).record(now))
}

/// What is special about the video.
pub(super) fn find(id: VideoId) -> Result<Shape, Fault> {
    let key = id.to_string();
    VIDEOS.iter().find(|it| it.key == key).map_or(Err(Fault::NotFound), |it| it.answer)
}

/// Every video that Research knows, newest first.
pub(super) fn in_research() -> impl Iterator<Item = Made> {
    let made = VIDEOS.iter().rev().filter_map(|case| {
        let shape = case.answer.ok()?;
        Some(Made::new(case.key.parse().ok()?, shape))
    });
    made.filter(|it| it.research_outcome(0) == Outcome::Answered(0))
}

/// A made-up video.
#[derive(Clone, Copy, Debug)]
pub(super) struct Made {
    pub(super) id: VideoId,
    shape: Shape,
}

impl Made {
    pub(super) fn new(id: VideoId, shape: Shape) -> Self {
        Self { id, shape }
    }

    /// The last two digits of its id, from which all its figures follow.
    fn number(self) -> u64 {
        self.id.get() % 100
    }

    /// Handle and more of its creator.
    pub(super) fn creator(self) -> Option<(&'static str, &'static Creator)> {
        let real = || CREATORS.iter().filter_map(|it| Some((it.key, it.answer.as_ref().ok()?)));
        real().cycle().nth(usize::try_from(self.number().checked_sub(1)?).ok()?)
    }

    /// Epoch second.
    pub(super) fn created_at(self) -> i64 {
        (self.id.get() >> 32).cast_signed() + AFTER_ID
    }

    /// How many comments it has.
    pub(super) fn comments(self) -> u64 {
        match self.shape {
            Shape::ManyComments => 250,
            Shape::NoComments | Shape::NoViews => 0,
            _ => self.number(),
        }
    }

    fn oembed_outcome(self, at: i64) -> Outcome {
        match self.shape {
            Shape::ResearchOnly => Outcome::NotFound,
            _ => Outcome::Answered(at),
        }
    }

    /// What asking Research for it comes to.
    pub(super) fn research_outcome(self, at: i64) -> Outcome {
        match self.shape {
            Shape::OembedOnly => Outcome::NotFound,
            Shape::ResearchFailed => Outcome::Failed,
            Shape::ResearchLeftAlone => Outcome::LeftAlone,
            Shape::ResearchDisabled => Outcome::Disabled,
            _ => Outcome::Answered(at),
        }
    }

    fn record(self, now: OffsetDateTime) -> VideoRecord {
        let at = now.unix_timestamp();
        let (oembed, research) = (self.oembed_outcome(at), self.research_outcome(at));
        let said = |outcome, facts| match outcome {
            Outcome::Answered(_) => facts,
            _ => Facts::default(),
        };
        VideoRecord::empty(self.id)
            .with(Source::Oembed, oembed, said(oembed, self.oembed(at)))
            .with(Source::Research, research, said(research, self.research()))
    }

    fn text(self) -> Option<String> {
        let (_, creator) = self.creator()?;
        let words = match self.shape {
            Shape::NoCaption => return None,
            Shape::Scripts => "Brot 🥐 パン хлеб خبز नान".to_owned(),
            Shape::Complete => format!("{}, with @sandbox_drummer", creator.subject),
            Shape::Mentions => {
                "With @sandbox.gardener\nand @sandbox_drummer\nin three lines".to_owned()
            }
            Shape::LongCaption => {
                let tags = self.tags().chars().count() + 1;
                "sandbox ".chars().cycle().take(MAX_CAPTION.saturating_sub(tags)).collect()
            }
            _ => format!("{}, part {}", creator.subject, self.number()),
        };
        Some(format!("{words} {}", self.tags()))
    }

    fn tags(self) -> String {
        self.hashtags().iter().map(|it| format!("#{it}")).collect::<Vec<_>>().join(" ")
    }

    fn hashtags(self) -> Vec<String> {
        let own = self.creator().map(|it| it.1.hashtag);
        let mut tags: Vec<_> = ["sandbox"].into_iter().chain(own).collect();
        if self.shape == Shape::Scripts {
            tags.extend(["パン", "хлеб", "خبز", "नान"]);
        }
        tags.into_iter().map(str::to_owned).collect()
    }

    fn mentions(self) -> Vec<String> {
        let handles: &[&str] = match self.shape {
            Shape::Complete => &["sandbox_drummer"],
            Shape::Mentions => &["sandbox.gardener", "sandbox_drummer"],
            _ => &[],
        };
        handles.iter().copied().map(str::to_owned).collect()
    }

    /// The sound's id follows the same rule: `74NN`, 13 zeros, `NN`.
    fn sound(self) -> Option<u64> {
        (self.shape != Shape::NoSound).then(|| self.id.get() - 100_000_000_000_000_000)
    }

    /// oEmbed words a video for display; tags and the sound are read out of that.
    fn oembed(self, at: i64) -> Facts {
        let observed = Provenance::Observed;
        let derived = Provenance::Derived;
        let Some((handle, creator)) = self.creator() else { return Facts::default() };
        let caption = self.text();
        let name = match self.shape {
            Shape::Scripts => "Sandbox パン屋 Пекарь خباز".to_owned(),
            _ => creator.display_name.to_owned(),
        };
        let title = match self.shape {
            Shape::Scripts => "オリジナル楽曲 · оригинал · صوت".to_owned(),
            _ => format!("original sound - {}", creator.display_name),
        };
        let size = (self.shape != Shape::BareThumbnail).then_some((576, 1_024));
        let thumbnail = Thumbnail {
            url: format!("https://thumbnails.example.com/{}.jpeg", self.id),
            width: size.map(|it| it.0),
            height: size.map(|it| it.1),
            expires_at: size.map(|_| at.saturating_add(THUMBNAIL_SECONDS)),
        };
        let said = |value: Option<String>| fact(Source::Oembed, observed, value);
        let read =
            |value: Vec<String>| fact(Source::Oembed, derived, caption.is_some().then_some(value));
        Facts {
            username: said(Some(handle.to_owned())),
            display_name: said(Some(name)),
            hashtags: read(self.hashtags()),
            mentions: read(self.mentions()),
            caption: said(caption.clone()),
            sound_id: fact(Source::Oembed, derived, self.sound()),
            sound_title: fact(Source::Oembed, derived, self.sound().map(|_| title)),
            thumbnail: fact(Source::Oembed, observed, Some(thumbnail)),
            ..Facts::default()
        }
    }

    /// Research states a video field by field, and leaves out what is empty.
    pub(super) fn research(self) -> Facts {
        let Some((handle, creator)) = self.creator() else { return Facts::default() };
        let caption = self.text();
        let filled = |it: Vec<String>| (caption.is_some() && !it.is_empty()).then_some(it);
        let count = |of: u64| match self.shape {
            Shape::NoCounts => None,
            Shape::NoViews => Some(0),
            _ => Some(of * self.number()),
        };
        let views = match self.shape {
            Shape::Popular => Some((1 << 53) + 1),
            _ => count(1_000),
        };
        Facts {
            username: stated(Some(handle.to_owned())),
            hashtags: stated(filled(self.hashtags())),
            mentions: stated(filled(self.mentions())),
            caption: stated(caption),
            sound_id: stated(self.sound()),
            duration_seconds: stated(Some(10 * self.number())),
            created_at: stated(Some(self.created_at())),
            country: stated((self.shape != Shape::NoCountry).then(|| creator.country.to_owned())),
            labels: stated(self.labels()),
            views: stated(views),
            likes: stated(count(100).filter(|_| self.shape != Shape::NoLikes)),
            comments: stated(count(1).map(|_| self.comments())),
            shares: stated(count(10)),
            saves: stated(count(20)),
            ..Facts::default()
        }
    }

    fn labels(self) -> Option<Vec<Label>> {
        let label = |kind: &str| Label { kind: kind.to_owned(), number: 1 };
        match self.shape {
            Shape::Complete | Shape::MadeWithAi => Some(vec![label("AIGC")]),
            Shape::Branded => Some(vec![label("Branded"), label("AIGC")]),
            _ => None,
        }
    }
}

fn stated<T>(value: Option<T>) -> Option<Fact<T>> {
    fact(Source::Research, Provenance::Observed, value)
}

fn fact<T>(source: Source, provenance: Provenance, value: Option<T>) -> Option<Fact<T>> {
    value.map(|value| Fact { provenance, source, value })
}
