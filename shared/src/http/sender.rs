//! Who sent a request. API Gateway sees who connected to it; behind a CDN that is the CDN, which says in
//! headers who connected to it. Anybody can send those headers, so they count only where the request
//! provably came through the CDN.

use std::net::{IpAddr, SocketAddr};

use lambda_http::http::{HeaderMap, HeaderName};

use crate::{config::CdnSettings, secrets::CdnProof};

/// The header of Amazon's CDN. It holds a port too, and in an address of IPv6 no brackets to tell it by.
const CLOUDFRONT: &str = "cloudfront-viewer-address";

/// What the CDN says of the client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sender {
    pub(super) address: Option<String>,
    pub(super) country: Option<String>,
}

/// What the request says in the CDN's proof header.
pub(super) fn proof<'h>(headers: &'h HeaderMap, cdn: &CdnSettings) -> Option<&'h str> {
    text(headers, &cdn.proof_header)
}

/// What the CDN says of the client, if `headers` are the CDN's.
pub(super) fn sender(
    headers: &HeaderMap,
    cdn: &CdnSettings,
    proof: Option<&CdnProof>,
) -> Option<Sender> {
    let given = text(headers, &cdn.proof_header)?;
    proof?.is(given).then(|| {
        let said = |name: Option<&HeaderName>| text(headers, name?);
        let address = cdn.address_header.as_ref();
        Sender {
            address: address.and_then(|name| parse(name.as_str(), text(headers, name)?)),
            country: said(cdn.country_header.as_ref()).and_then(country),
        }
    })
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// The address in `value`, with or without a port. Several are none: it would be the client who said the first.
fn parse(name: &str, value: &str) -> Option<String> {
    let bare = |it: &str| it.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
    let found = if name == CLOUDFRONT {
        let (address, port) = value.rsplit_once(':')?;
        port.parse::<u16>().ok().and(bare(address))
    } else {
        bare(value).or_else(|| value.parse::<SocketAddr>().ok().map(|it| it.ip()))
    };
    found.map(|it| it.to_canonical().to_string())
}

/// The country in `value`, as ISO 3166-1 has it. `XX` stands for one that is not known.
fn country(value: &str) -> Option<String> {
    let is_code = value.len() == 2 && value.bytes().all(|it| it.is_ascii_uppercase());
    (is_code && value != "XX").then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn cdn(address: Option<&str>, country: Option<&str>) -> CdnSettings {
        let header = |it: Option<&str>| it.map(|it| it.parse().expect("a name"));
        CdnSettings {
            address_header: header(address),
            country_header: header(country),
            proof_header: HeaderName::from_static("x-proof"),
            is_required: false,
        }
    }

    fn of(cdn: &CdnSettings, sent: &[(&'static str, &str)]) -> Option<Sender> {
        let proof: CdnProof =
            serde_json::from_value(serde_json::json!({ "current": SECRET })).expect("a proof");
        let value = |it: &str| it.parse().expect("a value");
        let headers = sent.iter().map(|it| (HeaderName::from_static(it.0), value(it.1)));
        sender(&headers.collect(), cdn, Some(&proof))
    }

    #[test]
    fn an_address_is_read_with_and_without_its_port() {
        for (name, value, expected) in [
            ("cf-connecting-ip", "192.0.2.7", Some("192.0.2.7")),
            ("cf-connecting-ip", "2001:db8::7", Some("2001:db8::7")),
            ("cf-connecting-ip", "::ffff:192.0.2.7", Some("192.0.2.7")),
            ("x-client", "192.0.2.7:4711", Some("192.0.2.7")),
            ("x-client", "[2001:db8::7]:4711", Some("2001:db8::7")),
            ("x-client", "[2001:db8::7]", Some("2001:db8::7")),
            ("cloudfront-viewer-address", "192.0.2.7:4711", Some("192.0.2.7")),
            ("cloudfront-viewer-address", "[2001:db8::7]:4711", Some("2001:db8::7")),
            ("cloudfront-viewer-address", "2001:db8::7:4711", Some("2001:db8::7")),
            (
                "cloudfront-viewer-address",
                "2001:db8:1:2:3:4:5:6:4711",
                Some("2001:db8:1:2:3:4:5:6"),
            ),
            ("cloudfront-viewer-address", "192.0.2.7", None),
            ("cloudfront-viewer-address", "192.0.2.7:port", None),
            ("cf-connecting-ip", "192.0.2.7, 198.51.100.1", None),
            ("cf-connecting-ip", "192.0.2.7,198.51.100.1", None),
            ("cf-connecting-ip", "localhost", None),
            ("cf-connecting-ip", "", None),
        ] {
            assert_eq!(parse(name, value).as_deref(), expected, "{name}: {value}");
        }
    }

    #[test]
    fn what_the_headers_say_counts_only_with_the_proof() {
        let cdn = cdn(Some("cf-connecting-ip"), Some("cf-ipcountry"));
        let said = [("cf-connecting-ip", "192.0.2.7"), ("cf-ipcountry", "NZ")];
        assert_eq!(of(&cdn, &said), None);
        for wrong in ["", "0", &SECRET[1..], &format!("{SECRET},{SECRET}")] {
            assert_eq!(of(&cdn, &[said[0], said[1], ("x-proof", wrong)]), None, "{wrong}");
        }
        let proven = of(&cdn, &[said[0], said[1], ("x-proof", SECRET)]).expect("proven");
        let (address, country) = (Some("192.0.2.7".to_owned()), Some("NZ".to_owned()));
        assert_eq!(proven, Sender { address, country });
        assert_eq!(of(&cdn, &[("x-proof", SECRET)]), Some(Sender::default()));
    }

    #[test]
    fn only_the_headers_that_are_named_are_read() {
        let said = [("x-proof", SECRET), ("cf-ipcountry", "NZ"), ("cf-connecting-ip", "192.0.2.7")];
        let nothing = Some(Sender::default());
        assert_eq!(of(&cdn(None, None), &said), nothing);
        assert_eq!(of(&cdn(Some("x-other"), Some("x-country")), &said), nothing);
        for value in ["nz", "NZL", "XX", "T1", ""] {
            let sent = [("x-proof", SECRET), ("cf-ipcountry", value)];
            assert_eq!(of(&cdn(None, Some("cf-ipcountry")), &sent), nothing, "{value}");
        }
    }
}
