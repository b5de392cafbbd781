//! `GET /v1/videos/{video_id}/comments`: a page of the comments on a video.

use vidintel::{
    app::App,
    error::Error,
    flight::Looked,
    http::{Call, Reply, Served, Shape, Visit, serve_metered},
    lookup::{LookUp, comments_key, video_id, video_key},
    program::Ended,
    video::{Comments, comments_from, limit},
};

/// Answers the requests.
pub fn main() -> Ended {
    serve_metered(|app, call| Box::pin(handle(app, call)))
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    // The key first: who has none learns nothing else.
    call.api_key()?;
    let id = video_id(call)?;
    let shape = Shape::of::<Comments>(call)?;
    let count = limit(call.number("limit")?)?;
    let from = comments_from(call.number("cursor")?)?;
    let mut parameters = vec![
        ("video_id".to_owned(), id.to_string()),
        ("cursor".to_owned(), from.to_string()),
        ("limit".to_owned(), count.to_string()),
    ];
    parameters.extend(shape.parameters(call));
    let keys = [comments_key(id, from, count), video_key(id)];
    let (visit, mut looked) = Visit::admit(app, call, parameters, 1, &keys).await?;
    let admission = visit.admission.clone();
    let work = async {
        let look_up = LookUp::new(app, &admission, call.now()).await?;
        look_up.needs_research()?;
        // The video tells whose the comments are.
        let values = looked.values.split_off(1.min(looked.values.len()));
        let of = look_up.video(id, Looked { stamp: looked.stamp.clone(), values }).await?;
        let landed = look_up.comments(id, (from, count), looked).await?;
        if let Some(name) = of.found.facts.username.filter(|_| !landed.cached) {
            // That took its time, in which they may have objected.
            look_up.may_be_asked_about(&[&name.value]).await?;
        }
        let comments = Comments::new(id, &landed.found, &look_up.view(landed.cached));
        Ok(Served::whole(shape.answer(&comments)?, landed.cached))
    };
    Ok(visit.finish(app, call, work).await)
}
