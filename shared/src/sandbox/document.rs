//! `docs/SANDBOX.md`: a test keeps it fresh.

use std::fmt::Write;

use time::OffsetDateTime;

use super::{CREATORS, Case, Fault, Trouble, VIDEOS, WORDS, videos::Made};
use crate::{error::Error, http::kind};

const HEAD: &str = "# The sandbox

Generated from `shared/src/sandbox/`; `BLESS=1 cargo test -p vidintel fresh` writes it anew.

A key that begins with `tvi_test_` is answered from a small made-up catalogue, never from TikTok, and each
case has an id, a handle or a word that triggers it: write your tests against them. The answers have the form
of the real ones and are always the same; only the times at which they were fetched are those of your request.
Nothing in it is a real video, comment or person; the addresses of thumbnails lead nowhere.

Requests with such a key are not metered: they take nothing from your quota. They are limited by the minute
as your plan says, apart from your real requests. Whether an account is active counts as for any key.

Such a key opens the video endpoints and nothing else, so it may lie in test code and CI. What is about the
account itself (`/v1/keys`, `/v1/usage`, `/v1/billing`, `/v1/privacy`) answers it with 403 `sandbox-key`: use a
live key there.

You get a key by `POST /v1/keys` with `\"environment\": \"test\"`:

```sh
curl -X POST https://api.example.com/v1/keys -H 'X-API-Key: tvi_live_…' \\
  -H 'Content-Type: application/json' -d '{\"name\": \"tests\", \"environment\": \"test\"}'
```

An error is answered at once, also a timeout, and as often as you ask.
";

const VIDEO_RULES: &str = "
The id of video number `NN` is `75NN`, 13 zeros, `NN`. It does not fit a JavaScript number: read as one, it
comes out as another id, which is not found. The upper 32 bits are the second in which it was given out, and
Research says that the video was created 10 seconds later.

Where the table does not say otherwise, video `NN` has 1,000 × `NN` views, 100 × `NN` likes, `NN` comments,
10 × `NN` shares and 20 × `NN` saves, lasts 10 × `NN` seconds, has the sound `74NN`, 13 zeros, `NN`, and the
hashtags `sandbox` and that of its creator.
";

const COMMENT_RULES: &str = "
A video that is answered with an error answers with the same error when its comments are asked for. A video
that Research does not know is not found; where Research failed, is busy or is not enabled, that is the answer.

The comments are in order, oldest first, a minute apart. Comment number `III` of video `NN` has the id `75NN`,
zeros, `III`, `NN`, 19 digits in all, and `III` likes. Every fifth one answers the one before it. Of those
whose number ends in 7 there is no text, and of those in 8 the likes are not known.
";

const CREATOR_RULES: &str = "
Upper and lower case are the same. Each of the first four has ten of the videos 01 to 40. The last 30 days end here with the day of video 40.
";

const SEARCH_RULES: &str = "
A search goes through the videos that Research knows, newest first. The conditions are those of real searches,
those on `region` for plans that include the country; upper and lower case are the same. A creator from the table above who is answered with an error answers a search
for their videos with that error, except the one who is not there: then nothing is found.

These words, as a keyword or as a hashtag, trigger what can happen. Those that do not fail stand for every
video of the days that are asked for.
";

/// The document, in Markdown.
pub fn document() -> String {
    let mut text = HEAD.to_owned();
    section(
        &mut text,
        "Videos",
        VIDEO_RULES,
        ["Id", "Creator", "Created (UTC)", "What it answers"],
    );
    for case in VIDEOS {
        let made = case.answer.ok().zip(case.key.parse().ok()).map(|(it, id)| Made::new(id, it));
        let creator = made.and_then(Made::creator).map(|it| format!("`{}`", it.0));
        let created = made.and_then(|it| OffsetDateTime::from_unix_timestamp(it.created_at()).ok());
        let day = created.map(|it| it.date().to_string());
        row(
            &mut text,
            [key(case), creator.unwrap_or_default(), day.unwrap_or_default(), says(case)],
        );
    }
    let _ = write!(text, "\n## Comments\n{COMMENT_RULES}");
    section(
        &mut text,
        "Creators",
        CREATOR_RULES,
        ["Handle", "Hashtag", "Country", "What it answers"],
    );
    for case in CREATORS {
        let creator = case.answer.ok();
        let hashtag = creator.map(|it| format!("`{}`", it.hashtag)).unwrap_or_default();
        let country = creator.map(|it| it.country.to_owned()).unwrap_or_default();
        row(&mut text, [key(case), hashtag, country, says(case)]);
    }
    section(&mut text, "Searches", SEARCH_RULES, ["Word", "What it answers"]);
    for case in WORDS {
        row(&mut text, [key(case), says(case)]);
    }
    text
}

fn section<const N: usize>(text: &mut String, title: &str, rules: &str, head: [&str; N]) {
    // Writing to a string cannot fail.
    let _ =
        write!(text, "\n## {title}\n{rules}\n| {} |\n|{}\n", head.join(" | "), "---|".repeat(N));
}

fn row<const N: usize>(text: &mut String, cells: [String; N]) {
    let _ = writeln!(text, "| {} |", cells.map(|it| it.replace('|', "\\|")).join(" | "));
}

fn key<T>(case: &Case<T>) -> String {
    format!("`{}`", case.key)
}

fn says<T>(case: &Case<T>) -> String {
    match &case.answer {
        Ok(_) => case.about.to_owned(),
        Err(fault) => format!("**{}**: {}", status(*fault), case.about),
    }
}

/// The status with which the API answers.
pub(super) fn status(fault: Fault) -> u16 {
    match fault.trouble(OffsetDateTime::UNIX_EPOCH) {
        Trouble::Fetch(error) => kind(&Error::Video(error)).status().as_u16(),
        Trouble::QuotaUsedUp | Trouble::MinuteUsedUp => 429,
    }
}
