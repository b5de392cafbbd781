//! The service's own client against the stand-in.

use std::{sync::Arc, time::Duration};

use vidintel::{
    aws::Aws,
    config::{AwsConfig, RedisConfig},
    plans::Plan,
    redis::Redis,
    store::Store,
    upstream,
    video::{
        Asker, Calls, FetchError, Outcome, Payer, ResearchCredentials, Source, Sources,
        SourcesConfig, Standing, Video, VideoId, VideoRecord, View, WebAddress,
    },
};

use super::*;
use crate::{
    access::{Access, OPERATOR_KEY},
    dynamodb::DynamoDb,
    template::Template,
};

/// The service's client and the stand-in it talks to over a socket.
struct Pair {
    tiktok: TikTok,
    sources: Sources,
    /// Keeps the allowance.
    _dynamodb: DynamoDb,
}

async fn pair(secret: Option<&str>) -> Pair {
    let tiktok = tiktok();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let router = tiktok.router();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let config = SourcesConfig {
        oembed_url: format!("{base}/oembed"),
        web: WebAddress::new(Some(format!("{base}/web"))),
        api_url: base,
        research: secret.map(|secret| ResearchCredentials {
            client_key: CLIENT_KEY.to_owned(),
            client_secret: secret.into(),
            seal: Arc::new(Box::new([7; 32]).into()),
        }),
    };
    // Nobody is there: what is noted there is not needed.
    let redis = Redis::new(&RedisConfig {
        url: "redis://127.0.0.1:1".into(),
        response_timeout: Duration::from_millis(50),
        connect_timeout: Duration::from_millis(50),
    });
    let template =
        Template::read(&crate::workspace().join("template.yaml"), "local", &Default::default());
    let (clock, access, prefix) = (Clock::frozen_at(NOW), Access::default(), "local-");
    let tables = template.unwrap().tables;
    let dynamodb = DynamoDb::start(&clock, &access, prefix, &tables, None).await.unwrap();
    let aws = Aws::new(&AwsConfig {
        region: "eu-west-1".to_owned(),
        access_key_id: OPERATOR_KEY.to_owned(),
        secret_access_key: "local".to_owned().into(),
        session_token: None,
        dynamodb_endpoint: Some(dynamodb.endpoint().to_owned()),
        s3_endpoint: None,
        secrets_endpoint: None,
        ses_endpoint: None,
        sqs_endpoint: None,
    });
    let store = Store::new(aws.dynamodb, prefix.to_owned());
    let sources = Sources::new(&config, upstream::Client::new(), redis.unwrap(), store);
    Pair { tiktok, sources, _dynamodb: dynamodb }
}

impl Pair {
    fn video(&self, wanted: impl Fn(&CatalogueVideo) -> bool) -> CatalogueVideo {
        self.tiktok.catalogue().iter().find(|it| wanted(it)).expect("such a video").clone()
    }

    async fn fetch(&self, video: &CatalogueVideo) -> Result<VideoRecord, FetchError> {
        self.fetch_at(video, NOW).await
    }

    async fn fetch_at(
        &self,
        video: &CatalogueVideo,
        now: OffsetDateTime,
    ) -> Result<VideoRecord, FetchError> {
        self.fetch_all(std::slice::from_ref(video), now).await.pop().unwrap()
    }

    async fn fetch_all(
        &self,
        videos: &[CatalogueVideo],
        now: OffsetDateTime,
    ) -> Vec<Result<VideoRecord, FetchError>> {
        let ids: Vec<_> = videos.iter().map(|it| VideoId::new(it.id).unwrap()).collect();
        let payer = "acc_Example00001".parse().unwrap();
        let calls = Calls::default();
        let payer = Payer { account: &payer, plan: Plan::Business, calls: &calls };
        self.sources.fetch(&ids, Asker { payer: Some(payer), now }).await
    }
}

fn answer(record: &VideoRecord, include_country: bool) -> Value {
    let view = View {
        include_country,
        cached: false,
        now: NOW + time::Duration::MINUTE,
        standing: Standing::not_requested(),
    };
    serde_json::to_value(Video::from_record(record, &view)).unwrap()
}

#[tokio::test]
async fn every_video_of_the_catalogue_comes_out_as_it_went_in() {
    let pair = pair(Some(CLIENT_SECRET)).await;
    let mut fetched = Vec::new();
    for videos in pair.tiktok.catalogue().chunks(100) {
        fetched.extend(pair.fetch_all(videos, NOW).await);
    }
    for (video, record) in pair.tiktok.catalogue().iter().zip(fetched) {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                assert_eq!(
                    (error, video.in_oembed, video.in_research),
                    (FetchError::NotFound, false, false)
                );
                continue;
            }
        };
        let facts = &record.facts;
        let value = |it: &Option<_>| it.as_ref().map(|it: &vidintel::video::Fact<u64>| it.value);
        assert_eq!(facts.username.as_ref().unwrap().value, video.username);
        assert_eq!(facts.caption.as_ref().unwrap().value, video.caption);
        assert_eq!(facts.hashtags.as_ref().unwrap().value, video.hashtags);
        if video.in_oembed {
            assert_eq!(facts.display_name.as_ref().unwrap().value, video.display_name);
            assert_eq!(facts.sound_title.as_ref().unwrap().value, video.music_title);
        }
        assert_eq!(value(&facts.sound_id), Some(video.music_id));
        let counts = video.statistics.filter(|_| video.in_research);
        assert_eq!(value(&facts.views), counts.map(|it| it.views));
        assert_eq!(value(&facts.saves), counts.map(|it| it.saves));
        let country = facts.country.as_ref().map(|it| it.value.as_str());
        assert_eq!(country, video.region.filter(|_| video.in_research));
        let created = facts.created_at.as_ref().map(|it| it.value);
        assert_eq!(created, video.in_research.then_some(video.create_time));
    }
    // One token was enough, and one query for all that were created within 30 days.
    let counts = pair.tiktok.counts();
    assert_eq!((counts.oembed, counts.token), (300, 1));
    assert!((1..=40).contains(&counts.research), "{counts:?}");
    assert_eq!(pair.tiktok.spent().refused, 0);
}

#[tokio::test]
async fn answers_name_their_sources_and_their_gaps() {
    let with = pair(Some(CLIENT_SECRET)).await;
    let video = with.video(|it| {
        everywhere(it) && it.region.is_some() && it.statistics.is_some_and(|it| it.views > 0)
    });
    let whole = answer(&with.fetch(&video).await.unwrap(), true);
    assert_eq!(whole["statistics"]["views"]["source"], "research");
    assert_eq!(whole["statistics"]["views"]["lag_seconds_max"], 864_000);
    assert_eq!(whole["statistics"]["views"]["fetched_at"], "2026-11-24T12:00:00Z");
    assert_eq!(whole["author"]["display_name"]["source"], "oembed");
    assert_eq!(whole["engagement"]["share_rate"]["basis"], "derived");
    assert_eq!(whole["age_seconds"], 60);
    let plain = pair(None).await;
    let partial = answer(&plain.fetch(&video).await.unwrap(), true);
    assert_eq!(partial["statistics"]["views"]["reason"], "source_disabled");
    assert_eq!(partial["created_at"]["basis"], "derived_from_id");
    assert_eq!(partial["hashtags"]["basis"], "derived");
    assert_eq!(partial["engagement"]["share_rate"]["reason"], "missing_input");
    assert_eq!(plain.tiktok.counts(), Counts { oembed: 1, ..Counts::default() });
    let free = answer(&with.fetch(&video).await.unwrap(), false);
    assert_eq!(free["country"]["reason"], "plan_does_not_include");
    // The shape is the same whatever is known.
    assert_eq!(shape(&whole), shape(&partial));
    assert_eq!(shape(&whole), shape(&free));
}

/// The keys of an answer down to each figure.
fn shape(value: &Value) -> Value {
    match value.as_object() {
        None => Value::Null,
        Some(figure) if figure.contains_key("basis") => figure.keys().cloned().collect(),
        Some(fields) => fields.iter().map(|(key, value)| (key.clone(), shape(value))).collect(),
    }
}

#[tokio::test]
async fn one_source_answers_for_the_other_but_does_not_speak_for_it() {
    let pair = pair(Some(CLIENT_SECRET)).await;
    let video = pair.video(everywhere);
    let faults = [Fault::Status(500), Fault::Html504, Fault::RateLimited, Fault::Status(400)];
    // So far from each other that nothing is left alone because of the one before.
    for (n, fault) in (0..).zip(faults) {
        pair.tiktok.fault(Endpoint::Research, fault);
        let record = pair.fetch_at(&video, NOW + time::Duration::minutes(2 * n)).await.unwrap();
        let (outcome, reason) = match fault {
            Fault::RateLimited => (Outcome::LeftAlone, "source_busy"),
            _ => (Outcome::Failed, "source_failed"),
        };
        assert_eq!((record.research, record.is_complete()), (outcome, false), "{fault:?}");
        assert_eq!(answer(&record, true)["country"]["reason"], reason);
        assert!(record.facts.caption.is_some());
    }
    // Retried once each: 500 and 504; the others not.
    assert_eq!(pair.tiktok.counts().research, 6);
    pair.tiktok.fault(Endpoint::Research, Fault::None);
    pair.tiktok.fault(Endpoint::Oembed, Fault::Status(503));
    let later = NOW + time::Duration::hours(1);
    let record = pair.fetch_at(&video, later).await.unwrap();
    assert_eq!(record.oembed, Outcome::Failed);
    assert_eq!(answer(&record, true)["thumbnail"]["reason"], "source_failed");
    // Unknown to Research, and oEmbed cannot say: that is not "not found".
    let unseen = pair.video(|it| it.in_oembed && !it.in_research);
    let failed = FetchError::Upstream { retryable: true, by: Source::Oembed };
    assert_eq!(pair.fetch_at(&unseen, later).await, Err(failed));
}

#[tokio::test]
async fn failures_of_the_only_source_are_told_apart() {
    let pair = pair(None).await;
    let video = pair.video(everywhere);
    let upstream = |retryable| FetchError::Upstream { retryable, by: Source::Oembed };
    let faults = [
        (Fault::Status(500), upstream(true)),
        (Fault::Html504, upstream(true)),
        (Fault::Status(403), upstream(false)),
        (Fault::Status(302), upstream(false)),
        (Fault::RateLimited, FetchError::RateLimited { retry_after: Duration::from_secs(60) }),
        (Fault::Hang, FetchError::Timeout),
    ];
    // So far from each other that nothing is left alone because of the one before.
    for (n, (fault, error)) in (0..).zip(faults) {
        pair.tiktok.fault(Endpoint::Oembed, fault);
        let started = std::time::Instant::now();
        let now = NOW + time::Duration::minutes(2 * n);
        assert_eq!(pair.fetch_at(&video, now).await, Err(error), "{fault:?}");
        assert!(started.elapsed() < Duration::from_secs(3));
    }
    let later = NOW + time::Duration::hours(1);
    pair.tiktok.fault(Endpoint::Oembed, Fault::Slow(Duration::from_millis(200)));
    assert!(pair.fetch_at(&video, later).await.is_ok());
    pair.tiktok.fault(Endpoint::Oembed, Fault::DropFields);
    let partial = answer(&pair.fetch_at(&video, later).await.unwrap(), true);
    assert_eq!(partial["thumbnail"]["reason"], "absent_in_answer");
    assert_eq!(partial["author"]["username"]["value"], video.username);
}

#[tokio::test]
async fn tokens_are_shared_and_replaced_when_refused() {
    let pair = pair(Some(CLIENT_SECRET)).await;
    let video = pair.video(everywhere);
    let fetches = (0..20).map(|_| pair.fetch(&video));
    let records = futures_util::future::join_all(fetches).await;
    let is_whole = |it: &Result<_, _>| it.as_ref().is_ok_and(VideoRecord::is_complete);
    assert!(records.iter().all(is_whole), "{records:?}");
    assert_eq!(pair.tiktok.counts().token, 1);
    pair.tiktok.fault(Endpoint::Research, Fault::TokenInvalidOnce);
    assert!(pair.fetch(&video).await.unwrap().is_complete());
    assert_eq!(pair.tiktok.counts().token, 2);
    // Shortly before its end a token is replaced unasked.
    let later = NOW + time::Duration::minutes(116);
    pair.tiktok.0.clock.set(later);
    assert!(pair.fetch_at(&video, later).await.unwrap().is_complete());
    assert_eq!(
        pair.tiktok.counts(),
        Counts { oembed: 22, token: 3, research: 23, ..Counts::default() }
    );
}

/// Two functions that cannot hear of each other, where each new token ends the one before.
#[tokio::test]
async fn functions_that_end_each_others_tokens_do_not_go_on_for_ever() {
    let pair = pair(Some(CLIENT_SECRET)).await;
    let video = pair.video(everywhere);
    pair.tiktok.set_one_token(true);
    for second in 0..20 {
        let now = NOW + time::Duration::seconds(second);
        pair.tiktok.0.clock.set(now);
        // The other function's.
        bearer(&pair.tiktok).await;
        let record = pair.fetch_at(&video, now).await.unwrap();
        assert!(record.facts.caption.is_some());
        let answered = Outcome::Answered(now.unix_timestamp());
        let expected = if second < 2 { answered } else { Outcome::LeftAlone };
        assert_eq!(record.research, expected, "{second}");
    }
    // Its first one, one in the place of that, and no other for half a minute.
    assert_eq!(pair.tiktok.counts().token - 20, 2);
    let later = NOW + time::Duration::seconds(40);
    pair.tiktok.0.clock.set(later);
    assert!(pair.fetch_at(&video, later).await.unwrap().is_complete());
    assert_eq!(pair.tiktok.counts().token - 20, 3);
}

/// A page that is not there yet says nothing of the videos that were not on the pages before.
#[tokio::test]
async fn a_video_on_a_page_that_is_not_ready_is_not_said_to_be_missing() {
    let pair = pair(Some(CLIENT_SECRET)).await;
    // The older of the two is known to Research alone, and nothing comes with it by mistake.
    let is_one = |two: &&[CatalogueVideo]| {
        let is_alone = two[0].in_research && !two[0].in_oembed && !two[0].id.is_multiple_of(3);
        is_alone && two[1].in_research
    };
    let two = pair.tiktok.catalogue().windows(2).find(is_one).expect("two such videos").to_vec();
    // With short pages there is one on a page, and an empty page in between.
    for fault in [Fault::None, Fault::NewSearchIds, Fault::ShortPages] {
        pair.tiktok.fault(Endpoint::Research, fault);
        assert!(pair.fetch_all(&two, NOW).await.iter().all(Result::is_ok), "{fault:?}");
    }
    pair.tiktok.fault(Endpoint::Research, Fault::InvalidCursor(9));
    let outcomes = pair.fetch_all(&two, NOW).await;
    let not_ready = FetchError::NotReady { retry_after: Duration::from_secs(5) };
    assert_eq!(outcomes[0], Err(not_ready));
    assert!(outcomes[1].as_ref().is_ok_and(VideoRecord::is_complete), "{outcomes:?}");
}

#[tokio::test]
async fn refused_credentials_and_a_spent_allowance_leave_oembed_working() {
    let wrong = pair(Some("wrong")).await;
    let video = wrong.video(everywhere);
    assert_eq!(wrong.fetch(&video).await.unwrap().research, Outcome::Failed);
    assert_eq!(wrong.tiktok.counts().research, 0);
    let pair = pair(Some(CLIENT_SECRET)).await;
    pair.tiktok.fault(Endpoint::Research, Fault::QuotaExceeded);
    pair.tiktok.fault(Endpoint::Oembed, Fault::Status(500));
    // Until midnight, UTC.
    let retry_after = Duration::from_secs(12 * 3_600);
    assert_eq!(pair.fetch(&video).await, Err(FetchError::RateLimited { retry_after }));
    pair.tiktok.fault(Endpoint::Oembed, Fault::None);
    assert!(pair.fetch(&video).await.is_ok());
    assert_eq!(pair.tiktok.counts().research, 1, "it is left alone, also without Redis");
}
