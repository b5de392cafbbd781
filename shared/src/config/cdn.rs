use http::HeaderName;

use super::{ConfigError, var};

/// The CDN in front of the service, where there is one. What proves that a request came through it lies in
/// the secret, never in the environment.
#[derive(Clone, Debug)]
pub struct CdnSettings {
    /// Header in which it says the client's address; unset, there is no CDN, or it is not believed.
    pub address_header: Option<HeaderName>,
    /// Header in which it says the client's country.
    pub country_header: Option<HeaderName>,
    /// Header in which it proves itself.
    pub proof_header: HeaderName,
    /// Whether requests without that proof are refused.
    pub is_required: bool,
}

impl CdnSettings {
    /// Reads `CDN_ADDRESS_HEADER`, `CDN_COUNTRY_HEADER`, `CDN_PROOF_HEADER` and `CDN_REQUIRED`.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            address_header: header("CDN_ADDRESS_HEADER")?,
            country_header: header("CDN_COUNTRY_HEADER")?,
            proof_header: header("CDN_PROOF_HEADER")?
                .unwrap_or(HeaderName::from_static("x-origin-verify")),
            is_required: match var("CDN_REQUIRED").as_deref() {
                None | Some("off") => false,
                Some("on") => true,
                Some(_) => {
                    let reason = "must be `on` or `off`".to_owned();
                    return Err(ConfigError::Invalid { name: "CDN_REQUIRED", reason });
                }
            },
        })
    }

    /// Whether anything follows from where a request comes from.
    pub fn is_there(&self) -> bool {
        self.address_header.is_some() || self.country_header.is_some() || self.is_required
    }
}

fn header(name: &'static str) -> Result<Option<HeaderName>, ConfigError> {
    let wrong = |_| ConfigError::Invalid { name, reason: "must be a header's name".to_owned() };
    var(name).map(|it| it.parse().map_err(wrong)).transpose()
}
