//! Whether a form was sent by a page of ours. Other sites must not have their visitors send any: browsers say where one
//! comes from. Programs send JSON, of which nothing of this is asked: no other site can have a browser send that without
//! asking first (CORS).

use lambda_http::http::{HeaderMap, header};

/// Whether the browser says that it was a page of ours, of the service that is at `public_url`. One that says nothing
/// is no browser of the last years, or something in between has dropped it: then it cannot be told.
pub(super) fn is_ours(headers: &HeaderMap, public_url: &str) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return ["same-origin", "none"].iter().any(|it| site == it);
    }
    // Older browsers name the origin with each `POST`; `null` is one that they keep to themselves, and not ours: the
    // pages with our forms let it be named.
    text(headers, "origin").is_some_and(|origin| {
        origin.eq_ignore_ascii_case(origin_of(public_url)) || is_host(headers, origin)
    })
}

/// Whether `origin` is where the request itself went: behind a CDN that is another host than the public one. Who sends
/// a browser here from elsewhere cannot choose what it says of that.
fn is_host(headers: &HeaderMap, origin: &str) -> bool {
    let (scheme, host) = (text(headers, "x-forwarded-proto"), text(headers, header::HOST.as_str()));
    let (Some(scheme), Some(host)) = (scheme, host) else { return false };
    let rest = origin.strip_prefix(scheme).and_then(|it| it.strip_prefix("://"));
    !host.is_empty() && rest.is_some_and(|it| it.eq_ignore_ascii_case(host))
}

/// Scheme, host and port of a URL.
fn origin_of(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url[host..].find('/').map_or(url.len(), |at| host + at);
    &url[..end]
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use lambda_http::http::{HeaderName, HeaderValue};

    use super::*;

    fn says(sent: &[(&'static str, &str)]) -> bool {
        let value = |it: &str| HeaderValue::from_bytes(it.as_bytes()).expect("a value");
        let own = [("host", "origin.example.net"), ("x-forwarded-proto", "https")];
        let all = own.iter().chain(sent).map(|it| (HeaderName::from_static(it.0), value(it.1)));
        is_ours(&all.collect(), "https://api.example.com/base")
    }

    #[test]
    fn what_the_browser_says_of_the_site_decides_where_it_says_it() {
        let ours = ("origin", "https://api.example.com");
        for (site, expected) in [
            ("same-origin", true),
            ("none", true),
            ("same-site", false),
            ("cross-site", false),
            ("same-origin, cross-site", false),
            ("", false),
            ("ä", false),
        ] {
            assert_eq!(says(&[("sec-fetch-site", site)]), expected, "{site}");
            assert_eq!(says(&[("sec-fetch-site", site), ours]), expected, "{site}");
            assert_eq!(says(&[("sec-fetch-site", site), ("origin", "null")]), expected, "{site}");
        }
    }

    #[test]
    fn else_the_origin_must_be_the_public_one_or_that_of_the_request() {
        for ours in
            ["https://api.example.com", "https://API.example.com", "https://origin.example.net"]
        {
            assert!(says(&[("origin", ours)]), "{ours}");
        }
        for other in [
            "null",
            "",
            "https://",
            "https://evil.example",
            "http://api.example.com",
            "http://origin.example.net",
            "https://api.example.com:8443",
            "https://api.example.com.evil.example",
            "https://evil.example/https://api.example.com",
            "api.example.com",
            "https://api.example.com,https://evil.example",
            "ä",
        ] {
            assert!(!says(&[("origin", other)]), "{other}");
        }
        assert!(!says(&[]), "neither header is there");
    }
}
