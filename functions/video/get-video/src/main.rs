//! `GET /v1/videos/{video_id}`: everything known of a video.

use lambda_http::http::StatusCode;
use vidintel::{
    app::App,
    error::{Error, InputError},
    flight,
    gate::Admission,
    http::{Call, Reply, Served, Visit, serve_metered},
    video::{Asker, FetchError, Video, VideoId, View},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    serve_metered(|app, call| Box::pin(handle(app, call))).await
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    // The key first: who has none learns nothing else.
    call.api_key()?;
    let id: VideoId = call.path("video_id").parse().map_err(|_| {
        let reason = "must be the number in the video's address, such as 7565919548239514898";
        InputError::field("video_id", reason)
    })?;
    let parameters = vec![("video_id".to_owned(), id.to_string())];
    let (visit, mut looked) =
        Visit::admit(app, call, parameters, 1, &[flight::cache_key(id)]).await?;
    let cached = looked.pop().flatten();
    let admission = visit.admission.clone();
    let work = look_up(app, call, id, &admission, cached);
    Ok(visit.finish(app, call, work).await)
}

async fn look_up(
    app: &App,
    call: &Call,
    id: VideoId,
    admission: &Admission,
    cached: Option<Vec<u8>>,
) -> Result<Served, Error> {
    let (sources, now) = (app.sources().await?, call.now());
    let asker = Asker { payer: Some(&admission.account), now };
    let fetch = async {
        let fetched = sources.fetch(&[id], asker).await.pop();
        fetched.unwrap_or(Err(FetchError::NotFound))
    };
    let landed = flight::land(&app.redis, id, cached.as_deref(), now, fetch).await?;
    let view =
        View { include_country: admission.plan.includes_country(), cached: landed.cached, now };
    let video = Video::from_record(&landed.record, view);
    Ok(Served::whole(Reply::json(StatusCode::OK, &video)?, landed.cached))
}
