//! The query parameters that each endpoint knows. Any other is refused, so that a slip of the pen (`feilds`)
//! does not look as if it had worked; so is one that is there twice, of which only one could count. Pages are
//! more lenient: what leads to them adds parameters of its own.

use std::collections::BTreeSet;

use super::Call;
use crate::error::InputError;

/// Longest name that an error repeats. An API key that was put there is longer.
const MAX_NAME: usize = 32;

/// By route; one that is not here knows none. A test holds it against the API's description.
const KNOWN: &[(&str, &[&str])] = &[
    ("GET /v1/videos/{video_id}", &["include", "fields", "trim"]),
    ("GET /v1/videos", &["url", "include", "fields", "trim"]),
    ("POST /v1/videos/batch", &["fields", "trim"]),
    ("POST /v1/videos/search", &["fields", "trim"]),
    ("GET /v1/videos/{video_id}/comments", &["limit", "cursor", "fields", "trim"]),
    ("GET /v1/creators/{username}", &["fields", "trim"]),
    ("GET /v1/creators/{username}/videos", &["from", "to", "limit", "cursor", "fields", "trim"]),
    ("GET /v1/hashtags/{name}", &["fields", "trim"]),
    ("DELETE /v1/keys/{key_id}", &["confirm"]),
    ("GET /v1/usage", &["from", "to"]),
    ("GET /v1/billing/invoices", &["limit", "cursor"]),
];

/// The parameters that `route` (`GET /v1/videos`) knows.
pub fn known_parameters(route: &str) -> &'static [&'static str] {
    // What is asked for by HEAD is what GET would answer.
    let of_get = route.strip_prefix("HEAD ").map(|path| format!("GET {path}"));
    let route = of_get.as_deref().unwrap_or(route);
    KNOWN.iter().find(|it| it.0 == route).map_or(&[], |it| it.1)
}

/// Fails on a parameter that the call's endpoint does not know, or that is there more than once.
pub(super) fn check(call: &Call) -> Result<(), InputError> {
    if !call.route().contains(" /v1/") {
        return Ok(());
    }
    let known = known_parameters(call.route());
    let mut seen = BTreeSet::new();
    let given = call.parameters();
    for (name, _) in given.iter() {
        if !known.contains(&name) {
            return Err(unknown(name, known));
        }
        if !seen.insert(name.to_owned()) {
            return Err(InputError::Parameter(format!(
                "`{name}` is there more than once; send it once"
            )));
        }
    }
    Ok(())
}

fn unknown(name: &str, known: &[&str]) -> InputError {
    let is_name = (1..=MAX_NAME).contains(&name.len())
        && name.bytes().all(|it| it.is_ascii_alphanumeric() || b"_-.[]".contains(&it));
    let what = if is_name { format!("`{name}`") } else { "one of the parameters".to_owned() };
    let names: Vec<_> = known.iter().map(|it| format!("`{it}`")).collect();
    let instead = match names.as_slice() {
        [] => "there are none here".to_owned(),
        names => format!("there are {}", names.join(", ")),
    };
    let encoded = if known.contains(&"url") {
        "; if it belongs to the address in `url`, percent-encode that address"
    } else {
        ""
    };
    InputError::Parameter(format!("{what} is no parameter of this endpoint; {instead}{encoded}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_known_parameters_are_those_of_the_description() {
        let document: serde_json::Value =
            serde_json::from_str(&crate::openapi::json("support@example.com")).expect("JSON");
        let mut described = BTreeMap::new();
        for (path, operations) in document["paths"].as_object().expect("paths") {
            for (method, operation) in operations.as_object().expect("operations") {
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                let query = parameters.filter(|it| it["in"] == "query");
                let names: BTreeSet<String> =
                    query.map(|it| it["name"].as_str().expect("a name").to_owned()).collect();
                let route = format!("{} {path}", method.to_uppercase());
                let known = known_parameters(&route).iter().map(|it| (*it).to_owned());
                if path.starts_with("/v1/") {
                    assert_eq!(known.collect::<BTreeSet<_>>(), names, "{route}");
                    described.insert(route, names);
                }
            }
        }
        for (route, _) in KNOWN {
            assert!(described.contains_key(*route), "{route} is no route");
        }
        assert_eq!(known_parameters("HEAD /v1/usage"), ["from", "to"]);
    }

    #[test]
    fn an_error_repeats_names_only() {
        let said = |name: &str| unknown(name, &["fields", "trim"]).to_string();
        assert_eq!(
            said("feilds"),
            "`feilds` is no parameter of this endpoint; there are `fields`, `trim`"
        );
        for other in ["", "a b", "ada@example.com", &"x".repeat(33), "<b>"] {
            assert!(said(other).starts_with("one of the parameters is no"), "{other}");
        }
    }
}
