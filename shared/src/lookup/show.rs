//! A video as it is answered, with its creator where that is wanted.

use super::LookUp;
use crate::{
    error::{Error, InputError},
    flight::Looked,
    http::{Call, Served, Shape},
    video::{FetchError, Figure, MAX_PAGE, Reason, Search, SearchField, Standing, Video, VideoId},
};

/// What is to be looked up besides the video.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    creator: bool,
}

impl Wanted {
    /// Reads the parameter `include`.
    pub fn of(call: &Call) -> Result<Self, InputError> {
        match call.query("include").as_deref() {
            None => Ok(Self { creator: false }),
            Some("creator") => Ok(Self { creator: true }),
            Some(_) => Err(InputError::field("include", "must be `creator`")),
        }
    }

    /// What goes into the log of it.
    pub fn parameters(self) -> Option<(String, String)> {
        self.creator.then(|| ("include".to_owned(), "creator".to_owned()))
    }
}

impl LookUp<'_> {
    /// Answers with the video `id`.
    pub async fn show(
        &self,
        id: VideoId,
        looked: Looked,
        wanted: Wanted,
        shape: &Shape,
    ) -> Result<Served, Error> {
        let landed = self.video(id, looked).await?;
        let mut view = self.view(landed.cached);
        if wanted.creator
            && let Some(username) = &landed.found.facts.username
        {
            view.standing = self.standing(&username.value.to_lowercase()).await?;
        }
        let video = Video::from_record(&landed.found, &view);
        Ok(Served::whole(shape.answer(&video)?, landed.cached))
    }

    /// What videos of `username` (in lower case) are held against. What cannot be had of it says why.
    pub async fn standing(&self, username: &str) -> Result<Standing, Error> {
        let recent = Search::of(
            SearchField::Creator,
            username,
            super::days(self.is_sandbox(), self.now),
            MAX_PAGE,
        );
        let (profile, page) = futures_util::join!(
            self.profile(username, Looked::default()),
            self.search(&recent, Looked::default())
        );
        let (profile, page) = (fetched(profile)?, fetched(page)?);
        Ok(Standing {
            followers: match &profile {
                Ok(profile) => profile.found.followers(),
                Err(reason) => Figure::unavailable(*reason),
            },
            median_views: match &page {
                Ok(page) => crate::video::median_views(&page.found),
                Err(reason) => Figure::unavailable(*reason),
            },
        })
    }
}

/// Why a source gave nothing, as a figure says it; other errors are errors.
fn fetched<T>(outcome: Result<T, Error>) -> Result<Result<T, Reason>, Error> {
    let reason = match outcome {
        Ok(found) => return Ok(Ok(found)),
        Err(Error::Video(error)) => match error {
            FetchError::NeedsResearch => Reason::SourceDisabled,
            FetchError::NotFound | FetchError::NoCreator => Reason::NotInSource,
            FetchError::RateLimited { .. }
            | FetchError::NotReady { .. }
            | FetchError::Exhausted { .. } => Reason::SourceBusy,
            FetchError::Objected => return Err(FetchError::Objected.into()),
            _ => Reason::SourceFailed,
        },
        Err(error) => return Err(error),
    };
    Ok(Err(reason))
}
