//! A fetched export, opened as its owner would.

use std::{
    collections::BTreeMap,
    io::{Cursor, Read},
};

use local::http::Client;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Customer, World};

pub(crate) const EXPORTS: &str = "/v1/privacy/exports";

/// The files of an export by their paths.
pub(crate) type Copy = BTreeMap<String, Vec<u8>>;

/// Asks for an export; what the answer says.
pub(crate) async fn ask(world: &World, customer: &Customer) -> Value {
    let client = world.cloud.client();
    let answer = world.send(client.post(EXPORTS, &json!({})).key(&customer.key)).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    answer.json()
}

/// Where the customer's export `id` stands.
pub(crate) async fn state_of(world: &World, customer: &Customer, id: &str) -> Value {
    let answer = world.get(&format!("{EXPORTS}/{id}"), customer).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// Fetches the file of an export that is made; checks it against what is said of it.
pub(crate) async fn fetch(world: &World, customer: &Customer, id: &str) -> Copy {
    let view = state_of(world, customer, id).await;
    let said = &view["file"];
    let answer = world.get(said["download"].as_str().expect("a path"), customer).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    let location = answer.header("location").expect("a link").to_owned();
    assert_eq!(answer.json()["url"], *location);
    // No key goes with it: the link is to another host.
    let (host, path) = location.split_at(location.find("/local").expect("a bucket"));
    let client = Client::new(host);
    let file = world.send(client.get(path)).await;
    assert_eq!(file.status, 200, "{}", file.text());
    assert_eq!(file.header("content-type"), Some("application/zip"));
    assert_eq!(said["bytes"], file.body.len());
    assert_eq!(said["sha256"], digest(&file.body));
    open(&file.body)
}

/// The files in a ZIP file, each held against the manifest.
pub(crate) fn open(bytes: &[u8]) -> Copy {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).expect("a ZIP file");
    let mut files = Copy::new();
    for at in 0..archive.len() {
        let mut file = archive.by_index(at).expect("a file");
        let mut contents = Vec::new();
        file.read_to_end(&mut contents).expect("read");
        files.insert(file.name().expect("a name").into_owned(), contents);
    }
    let manifest = json_of(&files, "manifest.json");
    let mut listed = 0;
    for entry in manifest["files"].as_array().expect("files") {
        let path = entry["path"].as_str().expect("a path");
        let contents = &files[path];
        assert_eq!(entry["bytes"], contents.len(), "{path}");
        assert_eq!(entry["sha256"], digest(contents), "{path}");
        listed += 1;
    }
    assert_eq!(listed + 1, files.len(), "the manifest lists every file but itself");
    files
}

/// A file of the copy, read as JSON.
pub(crate) fn json_of(copy: &Copy, path: &str) -> Value {
    serde_json::from_slice(&copy[path]).expect("JSON")
}

/// The items of a category.
pub(crate) fn items_of(copy: &Copy, category: &str) -> Vec<Value> {
    let file = json_of(copy, &format!("data/{category}.json"));
    assert_eq!(file["category"], category);
    file["items"].as_array().expect("items").clone()
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
