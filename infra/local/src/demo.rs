//! A first account, made the way every customer makes one.

use anyhow::{Context, Result, ensure};
use axum::http::StatusCode;
use local::Cloud;
use serde_json::json;

const EMAIL: &str = "demo@example.com";

/// An account that can be used at once.
pub(crate) struct Account {
    pub(crate) email: &'static str,
    pub(crate) key: String,
}

/// Signs up over HTTP, reads the mail, and follows what it says.
pub(crate) async fn sign_up(cloud: &Cloud) -> Result<Account> {
    let client = cloud.client();
    let form = json!({ "email": EMAIL, "policy_version": "1.0", "is_13_or_older": true });
    let answer = client.post("/v1/accounts", &form).send().await?;
    ensure!(answer.status.is_success(), "sign-up: {} {}", answer.status, answer.text());
    let mails = cloud.ses.mails();
    let mail = mails.iter().rev().find(|it| it.to.iter().any(|to| to == EMAIL));
    let text = mail.and_then(|it| it.text.as_deref()).context("no mail has come")?;
    let token = token_in(text).context("the mail holds no token")?;
    let answer = client.post("/v1/accounts/verify", &json!({ "token": token })).send().await?;
    ensure!(
        matches!(answer.status, StatusCode::OK | StatusCode::CREATED),
        "verification: {} {}",
        answer.status,
        answer.text()
    );
    let key = answer.json().pointer("/api_key/key").and_then(|it| it.as_str().map(str::to_owned));
    Ok(Account { email: EMAIL, key: key.context("the answer holds no key")? })
}

/// The longest word of the mail that could be a token, whether it stands alone or in a link.
fn token_in(text: &str) -> Option<&str> {
    let is_part = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-');
    let words = text.split(|it| !is_part(it)).filter(|it| it.len() >= 20);
    words.max_by_key(|it| it.len())
}

/// A command that asks for a video.
pub(crate) fn first_request(cloud: &Cloud, key: &str) -> String {
    let id = cloud.tiktok.catalogue().first().map_or(0, |it| it.id);
    format!("curl -H 'X-API-Key: {key}' {}/v1/videos/{id}", cloud.url())
}
