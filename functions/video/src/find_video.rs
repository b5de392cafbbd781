//! `GET /v1/videos?url=…`: everything known of the video at an address, whatever form it has.

use vidintel::{
    app::App,
    error::{Error, InputError},
    flight::Looked,
    http::{Call, Reply, Served, Shape, Visit, serve_metered},
    lookup::{self, LookUp, Wanted},
    program::Ended,
    video::{Video, VideoAddress},
};

/// Answers the requests.
pub fn main() -> Ended {
    serve_metered(|app, call| Box::pin(handle(app, call)))
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    // The key first: who has none learns nothing else.
    call.api_key()?;
    let wrong = |reason: String| InputError::field("url", reason);
    let url =
        call.query("url").ok_or_else(|| wrong("must be the address of a video".to_owned()))?;
    let address: VideoAddress = url.parse().map_err(|error| wrong(format!("{error}")))?;
    let (wanted, shape) = (Wanted::of(call)?, Shape::of::<Video>(call)?);
    let (named, key) = match &address {
        VideoAddress::Video(id) => (id.to_string(), lookup::video_key(*id)),
        VideoAddress::ShortLink(link) => (link.to_string(), lookup::link_key(link)),
    };
    let mut parameters = vec![("url".to_owned(), named)];
    parameters.extend(shape.parameters(call).into_iter().chain(wanted.parameters()));
    let (visit, looked) = Visit::admit(app, call, parameters, 1, &[key]).await?;
    let admission = visit.admission.clone();
    let work = async {
        let look_up = LookUp::new(app, &admission, call.now()).await?;
        answer(&look_up, &address, looked, wanted, &shape).await
    };
    Ok(visit.finish(app, call, work).await)
}

async fn answer(
    look_up: &LookUp<'_>,
    address: &VideoAddress,
    looked: Looked,
    wanted: Wanted,
    shape: &Shape,
) -> Result<Served, Error> {
    match address {
        VideoAddress::Video(id) => look_up.show(*id, looked, wanted, shape).await,
        VideoAddress::ShortLink(link) => {
            let id = look_up.link(link, looked).await?;
            look_up.show(id, Looked::default(), wanted, shape).await
        }
    }
}
