//! `POST /v1/videos/batch`: many videos at once, each answered for itself.

use vidintel::{
    app::App,
    error::Error,
    http::{Call, Reply, Served, Shape, Visit, serve_metered},
    lookup::{LookUp, Many, video_key},
    program::Ended,
    video::{Batch, BatchRequest},
};

/// Answers the requests.
pub fn main() -> Ended {
    serve_metered(|app, call| Box::pin(handle(app, call)))
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    // The key first: who has none learns nothing else.
    call.api_key()?;
    let request: BatchRequest = call.json()?;
    request.check()?;
    let shape = Shape::of::<Batch>(call)?;
    let many = Many::of(&request.videos);
    let parameters = vec![("videos".to_owned(), many.named().join(","))];
    // Paid for at once, so that it is served whole or not at all; what is not found is given back.
    let keys: Vec<String> = many.ids().map(video_key).collect();
    let (visit, looked) = Visit::admit(app, call, parameters, many.count(), &keys).await?;
    let admission = visit.admission.clone();
    let work = async {
        let look_up = LookUp::new(app, &admission, call.now()).await?;
        let (mut batch, cached, failed) = look_up.batch(&many, looked).await?;
        let unserved = many.count() - batch.charged;
        batch.charged = batch.charged.min(admission.cost);
        Ok(Served { reply: shape.answer_post(&batch)?, cached, unserved, failed })
    };
    Ok(visit.finish(app, call, work).await)
}
