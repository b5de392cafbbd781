//! A first account, made the way every customer makes one.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use axum::http::StatusCode;
use local::Cloud;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

const EMAIL: &str = "demo@example.com";

/// An account that can be used at once.
pub(crate) struct Account {
    pub(crate) email: &'static str,
    pub(crate) key: String,
}

/// The account kept in the folder `state`, or a new one.
pub(crate) async fn account(cloud: &Cloud, state: Option<&Path>) -> Result<Account> {
    let file = state.map(|it| it.join("demo.json"));
    let kept = file.as_ref().and_then(|it| std::fs::read(it).ok());
    let kept: Value = kept.and_then(|it| serde_json::from_slice(&it).ok()).unwrap_or_default();
    if let Some(key) = kept.get("key").and_then(Value::as_str) {
        return Ok(Account { email: EMAIL, key: key.to_owned() });
    }
    let account = sign_up(cloud).await?;
    if let Some(file) = file {
        std::fs::write(file, json!({ "key": account.key }).to_string())?;
    }
    Ok(account)
}

/// Signs up over HTTP, reads the mail, and follows what it says.
async fn sign_up(cloud: &Cloud) -> Result<Account> {
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

/// Has the prices made that plans are sold at: the operator's first order.
pub(crate) async fn sell(cloud: &Cloud) -> Result<()> {
    let order = json!({ "time": cloud.clock.now().format(&Rfc3339)? });
    cloud.invoke("PrepareBillingFunction", &order).await?;
    Ok(())
}

/// A command that asks for a video.
pub(crate) fn first_request(cloud: &Cloud, key: &str) -> String {
    let id = cloud.tiktok.catalogue().first().map_or(0, |it| it.id);
    format!("curl -H 'X-API-Key: {key}' {}/v1/videos/{id}", cloud.url())
}
