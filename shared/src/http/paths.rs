//! Which methods each path answers to. The gateway routes by `template.yaml`; this is what a function needs
//! to say of a method that has no route. A test holds it against the template.

/// Paths, with parameters in braces, and their methods. `HEAD` goes wherever `GET` goes.
pub const PATHS: &[(&str, &[&str])] = &[
    ("/", &["GET"]),
    ("/billing/{page}", &["GET"]),
    ("/confirm", &["GET"]),
    ("/deletions/{request_id}", &["GET", "POST"]),
    ("/docs", &["GET"]),
    ("/export.schema.json", &["GET"]),
    ("/exports/{request_id}", &["GET", "POST"]),
    ("/health", &["GET"]),
    ("/object", &["GET"]),
    ("/object/confirm", &["GET"]),
    ("/openapi.json", &["GET"]),
    ("/privacy", &["GET"]),
    ("/problems/{kind}", &["GET"]),
    ("/recover", &["GET"]),
    ("/sign-up", &["GET"]),
    ("/v1/accounts", &["POST"]),
    ("/v1/accounts/recover", &["POST"]),
    ("/v1/accounts/verify", &["POST"]),
    ("/v1/billing", &["GET"]),
    ("/v1/billing/checkout", &["POST"]),
    ("/v1/billing/invoices", &["GET"]),
    ("/v1/billing/invoices/{invoice_id}", &["GET"]),
    ("/v1/billing/plan", &["POST"]),
    ("/v1/billing/portal", &["POST"]),
    ("/v1/billing/refunds", &["GET", "POST"]),
    ("/v1/creators/{username}", &["GET"]),
    ("/v1/creators/{username}/videos", &["GET"]),
    ("/v1/hashtags/{name}", &["GET"]),
    ("/v1/keys", &["GET", "POST"]),
    ("/v1/keys/{key_id}", &["DELETE"]),
    ("/v1/objections", &["POST"]),
    ("/v1/objections/confirm", &["POST"]),
    ("/v1/objections/{objection_id}", &["GET"]),
    ("/v1/plans", &["GET"]),
    ("/v1/policy", &["GET"]),
    ("/v1/privacy/deletions", &["POST"]),
    ("/v1/privacy/deletions/{request_id}", &["GET", "DELETE"]),
    ("/v1/privacy/exports", &["POST"]),
    ("/v1/privacy/exports/{request_id}", &["GET"]),
    ("/v1/privacy/exports/{request_id}/download", &["GET"]),
    ("/v1/privacy/requests", &["GET"]),
    ("/v1/usage", &["GET"]),
    ("/v1/videos", &["GET"]),
    ("/v1/videos/batch", &["POST"]),
    ("/v1/videos/search", &["POST"]),
    ("/v1/videos/{video_id}", &["GET"]),
    ("/v1/videos/{video_id}/comments", &["GET"]),
    ("/webhooks/stripe", &["POST"]),
];

/// The value of `Allow` for a path as it was asked for; `None` if there is nothing at it.
pub(crate) fn allow(path: &str) -> Option<String> {
    let mut methods: Vec<&str> = Vec::new();
    for (_, of_path) in PATHS.iter().filter(|(pattern, _)| matches(pattern, path)) {
        for method in *of_path {
            let with_head = if *method == "GET" { &["GET", "HEAD"][..] } else { &[*method][..] };
            methods.extend(with_head);
        }
    }
    methods.sort_unstable();
    methods.dedup();
    (!methods.is_empty()).then(|| methods.join(", "))
}

/// Whether `path` is one of `pattern`.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return true,
            (Some(wanted), Some(part)) => {
                let is_any = wanted.starts_with('{') && !part.is_empty();
                if !is_any && wanted != part {
                    return false;
                }
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_follows_from_every_path_that_matches() {
        for (path, expected) in [
            ("/", Some("GET, HEAD")),
            ("/v1/keys", Some("GET, HEAD, POST")),
            ("/v1/keys/key_1", Some("DELETE")),
            ("/v1/privacy/deletions/req_1", Some("DELETE, GET, HEAD")),
            // Both that of a batch and that of a video of this id.
            ("/v1/videos/batch", Some("GET, HEAD, POST")),
            ("/v1/keys/", None),
            ("/v1", None),
            ("/nothing", None),
            ("", None),
        ] {
            assert_eq!(allow(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn paths_are_in_order_and_there_once() {
        assert!(PATHS.is_sorted_by(|a, b| a.0 < b.0));
    }
}
