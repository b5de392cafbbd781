//! `GET /v1/hashtags/{name}`: what the newest videos with a hashtag show together.

use vidintel::{
    app::App,
    error::{Error, InputError},
    http::{Call, Reply, Served, Shape, Visit, serve_metered},
    lookup::{LookUp, recent_days, search_key},
    program::Ended,
    video::{Hashtag, MAX_PAGE, Search, SearchField, hashtag},
};

/// Answers the requests.
pub fn main() -> Ended {
    serve_metered(|app, call| Box::pin(handle(app, call)))
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    // The key first: who has none learns nothing else.
    let key = call.api_key()?;
    let name = hashtag(&call.path("name")).ok_or_else(|| {
        InputError::field("name", "must be a hashtag of 1 to 100 characters without spaces")
    })?;
    let shape = Shape::of::<Hashtag>(call)?;
    let mut parameters = vec![("name".to_owned(), name.clone())];
    parameters.extend(shape.parameters(call));
    let search = Search::of(SearchField::Hashtag, &name, recent_days(&key, call.now()), MAX_PAGE);
    let (visit, looked) = Visit::admit(app, call, parameters, 1, &[search_key(&search)]).await?;
    let admission = visit.admission.clone();
    let work = async {
        let look_up = LookUp::new(app, &admission, call.now()).await?;
        look_up.needs_research()?;
        let landed = look_up.search(&search, looked).await?;
        let view = look_up.view(landed.cached);
        let answer = Hashtag::new(&name, &search, &landed.found, &view);
        Ok(Served::whole(shape.answer(&answer)?, landed.cached))
    };
    Ok(visit.finish(app, call, work).await)
}
