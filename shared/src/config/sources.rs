use super::{ConfigError, var};

/// TikTok's interfaces. Credentials come from the secret, never from the environment.
#[derive(Clone, Debug)]
pub struct SourcesSettings {
    /// oEmbed, the default source.
    pub oembed_url: String,
    /// Base of the Research API.
    pub api_url: String,
    /// A stand-in for TikTok's pages, which short links lead through; unset, TikTok's own hosts are
    /// asked.
    pub web_url: Option<String>,
    /// Whether the operator has switched the Research source on (off by default: TikTok admits
    /// only approved, not-for-profit research).
    pub research: bool,
}

impl SourcesSettings {
    /// Reads `TIKTOK_OEMBED_URL`, `TIKTOK_API_URL`, `TIKTOK_WEB_URL` and `TIKTOK_RESEARCH`.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            oembed_url: var("TIKTOK_OEMBED_URL")
                .unwrap_or_else(|| "https://www.tiktok.com/oembed".to_owned()),
            api_url: var("TIKTOK_API_URL")
                .unwrap_or_else(|| "https://open.tiktokapis.com".to_owned()),
            web_url: var("TIKTOK_WEB_URL"),
            research: match var("TIKTOK_RESEARCH").as_deref() {
                None | Some("off") => false,
                Some("on") => true,
                Some(_) => {
                    return Err(ConfigError::Invalid {
                        name: "TIKTOK_RESEARCH",
                        reason: "must be `on` or `off`".to_owned(),
                    });
                }
            },
        })
    }
}
