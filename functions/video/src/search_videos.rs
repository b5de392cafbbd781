//! `POST /v1/videos/search`: a page of the videos for which conditions hold.

use vidintel::{
    app::App,
    error::Error,
    http::{Call, Reply, Served, Shape, Visit, serve_metered},
    lookup::{LookUp, search_key},
    program::Ended,
    video::{SearchRequest, VideoPage},
};

/// Answers the requests.
pub fn main() -> Ended {
    serve_metered(|app, call| Box::pin(handle(app, call)))
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    // The key first: who has none learns nothing else.
    call.api_key()?;
    let request: SearchRequest = call.json()?;
    let cursors = app.cursors().await?;
    let search = request.check(&cursors, call.now())?;
    let shape = Shape::of::<VideoPage>(call)?;
    let (first, last) = search.days;
    let parameters = vec![
        ("query".to_owned(), search.query.to_string().chars().take(2_000).collect()),
        ("from".to_owned(), first.to_string()),
        ("to".to_owned(), last.to_string()),
    ];
    let keys = [search_key(&search)];
    let (visit, looked) = Visit::admit(app, call, parameters, 1, &keys).await?;
    let admission = visit.admission.clone();
    let work = async {
        let look_up = LookUp::new(app, &admission, call.now()).await?;
        let landed = look_up.search(&search, looked).await?;
        let page = VideoPage::new(&search, &landed.found, &cursors, &look_up.view(landed.cached));
        Ok(Served::whole(shape.answer_post(&page)?, landed.cached))
    };
    Ok(visit.finish(app, call, work).await)
}
