//! `GET /v1/creators/{username}`: a creator's profile, and what the recent videos show together.

use vidintel::{
    app::App,
    error::Error,
    flight::Looked,
    http::{Call, Reply, Served, Shape, Visit, serve_metered},
    lookup::{LookUp, profile_key, recent_days, search_key},
    objections::Username,
    program::Ended,
    video::{Creator, MAX_PAGE, Search, SearchField},
};

/// Answers the requests.
pub fn main() -> Ended {
    serve_metered(|app, call| Box::pin(handle(app, call)))
}

async fn handle(app: &App, call: &Call) -> Result<Reply, Error> {
    // The key first: who has none learns nothing else.
    let key = call.api_key()?;
    let username = Username::parse(&call.path("username"))?;
    let name = username.expose();
    let shape = Shape::of::<Creator>(call)?;
    let mut parameters = vec![("username".to_owned(), name.to_owned())];
    parameters.extend(shape.parameters(call));
    let recent = Search::of(SearchField::Creator, name, recent_days(&key, call.now()), MAX_PAGE);
    let keys = [profile_key(name), search_key(&recent)];
    let (visit, mut looked) = Visit::admit(app, call, parameters, 1, &keys).await?;
    let admission = visit.admission.clone();
    let work = async {
        let look_up = LookUp::new(app, &admission, call.now()).await?;
        look_up.needs_research()?;
        let values = looked.values.split_off(1.min(looked.values.len()));
        let of_recent = Looked { stamp: looked.stamp.clone(), values };
        // One after the other: who is not there, or objected, is not searched for.
        let profile = look_up.profile(name, looked).await?;
        let page = look_up.search(&recent, of_recent).await?;
        if !page.cached {
            // That took its time, in which they may have objected.
            look_up.may_be_asked_about(&[name]).await?;
        }
        let cached = profile.cached && page.cached;
        let view = look_up.view(cached);
        let creator = Creator::new(&profile.found, &page.found, recent.days, &view);
        Ok(Served::whole(shape.answer(&creator)?, cached))
    };
    Ok(visit.finish(app, call, work).await)
}
