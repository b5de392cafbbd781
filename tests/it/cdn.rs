//! Who sent a request, behind a CDN and past it.

use std::collections::BTreeMap;

use local::{
    http::{Outgoing, Response},
    template::{Resource, Template},
};
use serde_json::{Value, json};
use vidintel::usage::{Entry, read_pack};

use crate::{
    usage::packs,
    util::{Customer, World, assert_problem, patient, sign_up},
};

const PROOF: &str = "known-to-the-cdn-and-to-nobody-else";
const BEFORE: &str = "what-the-cdn-used-to-send-before-this";

/// A CDN as Amazon's, with what is changed of the parameters.
async fn behind_a_cdn(changed: &[(&str, &str)]) -> World {
    let mut options = patient();
    let parameters =
        [("CdnAddressHeader", "CloudFront-Viewer-Address"), ("CdnCountryHeader", "CF-IPCountry")];
    for (name, value) in parameters.iter().chain(changed) {
        options.parameters.insert((*name).to_owned(), (*value).to_owned());
    }
    let world = World::start_with(options).await;
    world.change_secret(|it| it["cdn"] = json!({ "current": PROOF, "previous": BEFORE }));
    world
}

/// Adds what the CDN says of a client in New Zealand.
fn from<'c>(request: Outgoing<'c>, ip: &str, proof: Option<&str>) -> Outgoing<'c> {
    let request = request
        .header("cloudfront-viewer-address", &format!("{ip}:4711"))
        .header("cloudfront-viewer-country", "NZ")
        .header("cf-connecting-ip", ip)
        .header("cf-ipcountry", "NZ")
        .header("x-forwarded-for", ip);
    proof.into_iter().fold(request, |it, proof| it.header("x-origin-verify", proof))
}

async fn video(world: &World, customer: &Customer, proof: Option<&str>) -> Response {
    let client = world.cloud.client();
    let request = client.get(format!("/v1/videos/{}", world.video_id(0)));
    world.send(from(request, "2001:db8::7", proof).key(&customer.key)).await
}

async fn logged(world: &World) -> Vec<Entry> {
    world.run_job("RollUpUsageFunction").await;
    let packs = packs(world).await;
    let mut entries: Vec<_> =
        packs.iter().flat_map(|it| read_pack(it).expect("a readable pack")).collect();
    entries.sort_by_key(|it| it.at_ms);
    entries
}

async fn ask(world: &World, ip: &str, n: usize, proof: Option<&str>) -> u16 {
    let email = format!("user{n}@example.com");
    let client = world.cloud.client();
    let request = client.post("/v1/accounts", &sign_up(&email));
    world.send(from(request, ip, proof)).await.status.as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_cdn_nobody_is_believed_about_address_and_country() {
    let world = World::start().await;
    world.change_secret(|it| it["cdn"] = json!({ "current": PROOF }));
    let ada = world.customer("ada@example.com").await;
    assert_eq!(video(&world, &ada, Some(PROOF)).await.status, 200);
    let entry = logged(&world).await.remove(0);
    assert_eq!((entry.ip.as_str(), entry.country), ("127.0.0.1", None));
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_cdn_address_and_country_are_the_clients_where_it_proves_itself() {
    let world = behind_a_cdn(&[]).await;
    let ada = world.customer("ada@example.com").await;
    let longer = format!("{PROOF}{PROOF}");
    let proofs = [None, Some(""), Some("wrong"), Some(&longer), Some(PROOF), Some(BEFORE)];
    for proof in proofs {
        world.wait(time::Duration::seconds(1));
        assert_eq!(video(&world, &ada, proof).await.status, 200);
    }
    let entries = logged(&world).await;
    let said: Vec<_> = entries.iter().map(|it| (it.ip.as_str(), it.country.as_deref())).collect();
    let (gateway, client) = (("127.0.0.1", None), ("2001:db8::7", Some("NZ")));
    assert_eq!(said, [gateway, gateway, gateway, gateway, client, client]);
    for function in &world.cloud.template.functions {
        let logs = world.logs(&function.id);
        assert!(!logs.contains("2001:db8") && !logs.contains(PROOF), "{}: {logs}", function.id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_by_sender_are_those_of_the_client_behind_the_cdn() {
    let world = behind_a_cdn(&[]).await;
    for n in 0..20 {
        assert_eq!(ask(&world, "192.0.2.7", n, Some(PROOF)).await, 202);
    }
    assert_eq!(ask(&world, "192.0.2.7", 20, Some(PROOF)).await, 429);
    assert_eq!(ask(&world, "192.0.2.8", 20, Some(PROOF)).await, 202, "another client");
    // Nobody gets out of the limit by naming addresses.
    for n in 21..41 {
        assert_eq!(ask(&world, &format!("198.51.100.{n}"), n, None).await, 202);
    }
    assert_eq!(ask(&world, "198.51.100.99", 41, None).await, 429);
    assert_eq!(ask(&world, "198.51.100.99", 41, Some("wrong")).await, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_past_the_cdn_is_refused_where_that_is_asked_for() {
    let world = behind_a_cdn(&[("CdnRequired", "on"), ("CdnProofHeader", "X-Edge")]).await;
    let client = world.cloud.client();
    let mut asked = 0;
    for route in world.cloud.template.functions.iter().flat_map(|it| &it.routes) {
        let key = route.key();
        // What no other route takes has no path to ask for.
        let Some((method, path)) = key.split_once(' ') else { continue };
        let path = path.replace(['{', '}'], "");
        let request = match method {
            "ANY" => client.get(path),
            "DELETE" => client.delete(path),
            "POST" => client.post(path, &json!({})),
            other => panic!("{other} {path}"),
        };
        let request = request.header("x-origin-verify", PROOF).header("x-edge", "wrong");
        let answer = world.send(request).await;
        if key.ends_with(" /health") {
            assert_eq!(answer.status, 200, "{key}");
        } else {
            assert_problem(&answer, 403, "wrong-address");
            asked += 1;
        }
    }
    assert!(asked > 40, "{asked}");
    for proof in [PROOF, BEFORE] {
        let plans = client.get("/v1/plans").header("X-Edge", proof);
        assert_eq!(world.send(plans).await.status, 200);
    }
    // A new proof, and the CDN sends the old one for a while.
    let next = "what-the-cdn-will-send-after-all-this";
    world.change_secret(|it| it["cdn"] = json!({ "current": next, "previous": PROOF }));
    world.cloud.kill("ListPlansFunction").await.expect("killed");
    for (proof, status) in [(PROOF, 200), (next, 200), (BEFORE, 403)] {
        let plans = client.get("/v1/plans").header("X-Edge", proof);
        assert_eq!(world.send(plans).await.status, status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_without_a_proof_proves_nothing() {
    let world = behind_a_cdn(&[("CdnRequired", "on")]).await;
    world.change_secret(|it| it["cdn"] = Value::Null);
    for proof in [None, Some(""), Some("null")] {
        assert_eq!(ask(&world, "192.0.2.7", 0, proof).await, 403);
    }
    // One that can be guessed is not taken for one.
    world.change_secret(|it| it["cdn"] = json!({ "current": "short" }));
    world.cloud.kill("SignUpFunction").await.expect("killed");
    assert_eq!(ask(&world, "192.0.2.7", 0, Some("short")).await, 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_function_with_a_route_may_read_what_proves_the_cdn() {
    let world = World::start().await;
    for function in world.cloud.template.functions.iter().filter(|it| !it.routes.is_empty()) {
        let may = |action: &str| function.permissions.iter().any(|it| it.action == action);
        assert!(may("secretsmanager:GetSecretValue"), "{}", function.id);
    }
}

#[test]
fn the_gateways_own_address_is_closed_where_there_is_a_domain() {
    let read = |domain: &str| {
        let parameters = [("DomainName".to_owned(), domain.to_owned())].into();
        let file = local::workspace().join("template.yaml");
        Template::read(&file, "local", &parameters).expect("a template").resources
    };
    let (without, with) = (read(""), read("origin.example.com"));
    let is_closed = |all: &BTreeMap<String, Resource>| {
        all["HttpApi"].properties["DisableExecuteApiEndpoint"].clone()
    };
    assert_eq!((is_closed(&without), is_closed(&with)), (json!(false), json!(true)));
    assert!(!without.contains_key("ApiDomain") && !without.contains_key("ApiDomainMapping"));
    let domain = &with["ApiDomain"].properties;
    assert_eq!(domain["DomainName"], "origin.example.com");
    assert_eq!(domain["DomainNameConfigurations"][0]["SecurityPolicy"], "TLS_1_2");
    assert!(with.contains_key("ApiDomainMapping"));
}
