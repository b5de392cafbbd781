//! `GET /v1/creators/{username}/videos`: a page of a creator's videos, each held against the creator's
//! followers and recent median.

use vidintel::{
    app::App,
    error::{Error, InputError},
    http::{Call, Reply, Served, Shape, Visit, serve_metered},
    lookup::{LookUp, recent_days, search_key},
    objections::Username,
    program::Ended,
    video::{Search, SearchField, VideoPage, page_limit, search_days},
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
    let shape = Shape::of::<VideoPage>(call)?;
    let (from, to) = (call.date("from")?, call.date("to")?);
    let days = match (from, to) {
        (Some(from), to) => search_days(from, to, call.now())?,
        (None, None) => recent_days(&key, call.now()),
        (None, Some(_)) => return Err(InputError::field("to", "needs `from` beside it").into()),
    };
    let count = page_limit(call.number("limit")?)?;
    let search = Search::of(SearchField::Creator, name, days, count);
    let cursors = app.cursors().await?;
    let search = match call.query("cursor") {
        Some(cursor) => search.at(&cursors, &cursor, (from.is_some(), to.is_some()), call.now())?,
        None => search,
    };
    let mut parameters = vec![
        ("username".to_owned(), name.to_owned()),
        ("from".to_owned(), days.0.to_string()),
        ("to".to_owned(), days.1.to_string()),
    ];
    parameters.extend(shape.parameters(call));
    let (visit, looked) = Visit::admit(app, call, parameters, 1, &[search_key(&search)]).await?;
    let admission = visit.admission.clone();
    let work = async {
        let look_up = LookUp::new(app, &admission, call.now()).await?;
        look_up.needs_research()?;
        let landed = look_up.search(&search, looked).await?;
        let mut view = look_up.view(landed.cached);
        view.standing = look_up.standing(name).await?;
        let page = VideoPage::new(&search, &landed.found, &cursors, &view);
        Ok(Served::whole(shape.answer(&page)?, landed.cached))
    };
    Ok(visit.finish(app, call, work).await)
}
