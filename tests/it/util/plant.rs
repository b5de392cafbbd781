//! Items as the service stores them, made up: also of features that are still to come.

use local::cloud::Cloud;
use serde_json::{Value, json};
use time::OffsetDateTime;
use vidintel::{
    app::App,
    inventory::{CATEGORIES, Category, Export, Keep, Kind, Place, Table},
};

/// The category by whose period the items of `table` expire.
pub(crate) fn expiring(table: Table) -> &'static Category {
    let there = |it: &&&Category| it.place == Place::Table(table) && it.keep != Keep::UntilDeleted;
    CATEGORIES.iter().find(there).expect("something expires there")
}

/// The `n`-th item of `owner` in `table`, with every attribute that the inventory declares. Its period
/// starts at `from`.
pub(crate) fn item(table: Table, owner: &str, n: usize, from: OffsetDateTime) -> Value {
    let category = expiring(table);
    let mut item = json!({});
    for field in category.fields.iter().filter(|it| !it.ends_with('*') && **it != "held_from") {
        item[field] = attribute(category, field, owner);
    }
    for (at, name) in table.key().iter().enumerate() {
        item[name] = match (*name, at) {
            ("account" | "sender", 0) => json!({ "S": owner }),
            ("account_day", 0) => json!({ "S": format!("{owner}#{}", from.date()) }),
            // Of a request's form, as the file that belongs to it is found by it.
            ("id", 0) if table == Table::Exports => {
                json!({ "S": format!("req_{n:08}{}", &owner[owner.len() - 4..]) })
            }
            ("chain", 0) => json!({ "S": format!("chain of {owner}") }),
            ("sequence", _) => json!({ "N": n.to_string() }),
            _ => json!({ "S": format!("{owner} {n}") }),
        };
    }
    // What is closed waits for nothing.
    for name in ["queue", "next_at", "upload"] {
        item.as_object_mut().expect("an object").remove(name);
    }
    let expiry = category.expiry(from, &format!("{owner} {n}"));
    item["expires_at"] = json!({ "N": expiry.at.to_string() });
    item["expires_on"] = json!({ "S": expiry.on });
    item
}

/// A value of the kind that the inventory says, made of the field's and the owner's names.
fn attribute(category: &Category, name: &str, owner: &str) -> Value {
    let declared = match category.export {
        Export::Items { fields, .. } => fields.iter().find(|it| it.name == name).map(|it| it.kind),
        Export::No(_) => None,
    };
    let counts = name.ends_with("_at") || ["bytes", "count", "attempts", "version"].contains(&name);
    match declared {
        Some(Kind::Number | Kind::Instant | Kind::Milliseconds) => json!({ "N": "1795000000" }),
        None if counts => json!({ "N": "1795000000" }),
        Some(Kind::Texts) => json!({ "L": [{ "S": "one" }] }),
        Some(Kind::Rows) => json!({ "L": [{ "M": { "cents": { "N": "500" } } }] }),
        Some(Kind::Flag) => json!({ "BOOL": true }),
        Some(Kind::Counts | Kind::Instants) => json!({ "M": { "step": { "N": "1795000000" } } }),
        _ => json!({ "S": format!("{name} of {owner}") }),
    }
}

/// Stores an item of `table`.
pub(crate) async fn plant(cloud: &Cloud, table: Table, item: &Value) {
    let put = json!({ "TableName": cloud.dynamodb.table(table.name()), "Item": item });
    cloud.dynamodb.call("PutItem", &put).await.expect("planted");
}

/// Stores what the service would store of `value`.
pub(crate) async fn plant_item(app: &App, table: Table, value: &impl serde::Serialize) {
    let item = vidintel::store::to_item(value).expect("an item");
    let put = app.store.client().put_item().table_name(app.store.name(table)).set_item(Some(item));
    put.send().await.expect("planted");
}
