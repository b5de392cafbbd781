//! `GET /v1/videos/{video_id}`: everything known of a video.

use vidintel::{
    app::App,
    error::Error,
    http::{Call, Reply, Shape, Visit, serve_metered},
    lookup::{self, LookUp},
    program::Ended,
    video::Video,
};

/// Answers the requests.
pub fn main() -> Ended {
    serve_metered(|app, call| Box::pin(handle(app, call)))
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    // The key first: who has none learns nothing else.
    call.api_key()?;
    let id = lookup::video_id(call)?;
    let wanted = lookup::Wanted::of(call)?;
    let shape = Shape::of::<Video>(call)?;
    let mut parameters = vec![("video_id".to_owned(), id.to_string())];
    parameters.extend(shape.parameters(call).into_iter().chain(wanted.parameters()));
    let keys = [lookup::video_key(id)];
    let (visit, looked) = Visit::admit(app, call, parameters, 1, &keys).await?;
    let admission = visit.admission.clone();
    let work = async {
        let look_up = LookUp::new(app, &admission, call.now()).await?;
        look_up.show(id, looked, wanted, &shape).await
    };
    Ok(visit.finish(app, call, work).await)
}
