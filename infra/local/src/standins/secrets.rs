//! Secrets Manager: secrets with versions and staging labels, over AWS JSON 1.1.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
    routing::post,
};
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{ACCOUNT, Fault, REGION};
use crate::{access::Access, clock::Clock};

const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";

/// The stand-in. Clones share one set of secrets.
#[derive(Clone, Debug)]
pub struct Secrets {
    clock: Clock,
    access: Access,
    state: Arc<Mutex<Stored>>,
}

#[derive(Debug, Default)]
struct Stored {
    secrets: BTreeMap<String, Vec<Version>>,
    puts: u64,
    fault: Fault,
}

struct Version {
    id: String,
    text: String,
    stages: BTreeSet<String>,
    created: OffsetDateTime,
}

impl std::fmt::Debug for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Version").field("stages", &self.stages).finish_non_exhaustive()
    }
}

/// An error of the service, by its documented code.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Refusal {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, message: message.into() }
    }

    fn not_found(what: &str) -> Self {
        let message = format!("Secrets Manager can't find the specified {what}.");
        Self::new("ResourceNotFoundException", message)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Get {
    secret_id: String,
    version_id: Option<String>,
    version_stage: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Create {
    name: String,
    client_request_token: String,
    secret_string: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Put {
    secret_id: String,
    client_request_token: String,
    secret_string: String,
    version_stages: Option<Vec<String>>,
}

impl Secrets {
    /// No secrets yet.
    pub fn new(clock: Clock, access: Access) -> Self {
        Self { clock, access, state: Arc::default() }
    }

    /// Makes `value` the current version of the secret `name`; the one before it becomes the
    /// previous one.
    pub fn put(&self, name: &str, value: &Value) {
        let mut state = self.state();
        state.puts += 1;
        let id = format!("put-{:028}", state.puts);
        let versions = state.secrets.entry(name.to_owned()).or_default();
        add_version(versions, id, value.to_string(), [CURRENT.to_owned()], self.clock.now());
    }

    /// The current version of the secret `name`.
    pub fn current(&self, name: &str) -> Option<Value> {
        let state = self.state();
        let current = state.secrets.get(name)?.iter().find(|it| it.stages.contains(CURRENT))?;
        serde_json::from_str(&current.text).ok()
    }

    /// Makes every call from now on fail, or none.
    pub fn fault(&self, fault: Fault) {
        self.state().fault = fault;
    }

    /// The service's one endpoint.
    pub fn router(&self) -> Router {
        Router::new().route("/", post(answer)).with_state(self.clone())
    }

    fn state(&self) -> MutexGuard<'_, Stored> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn call(&self, headers: &HeaderMap, body: &[u8]) -> Result<Value, Refusal> {
        match self.state().fault {
            Fault::None => {}
            Fault::Throttle => return Err(Refusal::new("ThrottlingException", "Rate exceeded")),
            Fault::Down => {
                return Err(Refusal {
                    status: StatusCode::INTERNAL_SERVER_ERROR,
                    code: "InternalServiceError",
                    message: "An error occurred on the server side.".to_owned(),
                });
            }
        }
        let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok());
        match target.and_then(|target| target.strip_prefix("secretsmanager.")) {
            Some("GetSecretValue") => {
                let request: Get = parse(body)?;
                let name = name_of(&request.secret_id).to_owned();
                self.check(headers, "GetSecretValue", &name)?;
                self.get(&name, &request)
            }
            Some("CreateSecret") => {
                let request: Create = parse(body)?;
                self.check(headers, "CreateSecret", &request.name)?;
                self.create(request)
            }
            Some("PutSecretValue") => {
                let request: Put = parse(body)?;
                let name = name_of(&request.secret_id).to_owned();
                self.check(headers, "PutSecretValue", &name)?;
                self.put_value(&name, request)
            }
            _ => Err(Refusal::new("UnknownOperationException", "")),
        }
    }

    fn check(&self, headers: &HeaderMap, action: &str, name: &str) -> Result<(), Refusal> {
        self.access
            .check(headers, &format!("secretsmanager:{action}"), &arn(name))
            .map_err(|denied| Refusal::new("AccessDeniedException", denied.0))
    }

    fn get(&self, name: &str, request: &Get) -> Result<Value, Refusal> {
        let state = self.state();
        let versions = state.secrets.get(name).ok_or_else(|| Refusal::not_found("secret"))?;
        let stage = match (&request.version_stage, &request.version_id) {
            (Some(stage), _) => Some(stage.as_str()),
            (None, Some(_)) => None,
            (None, None) => Some(CURRENT),
        };
        let version = versions
            .iter()
            .find(|version| {
                stage.is_none_or(|stage| version.stages.contains(stage))
                    && request.version_id.as_ref().is_none_or(|id| *id == version.id)
            })
            .ok_or_else(|| match stage {
                Some(stage) => {
                    Refusal::not_found(&format!("secret value for staging label: {stage}"))
                }
                None => Refusal::not_found("secret value for this version"),
            })?;
        let mut answer = described(name, version);
        answer["SecretString"] = version.text.clone().into();
        answer["CreatedDate"] = version.created.unix_timestamp().into();
        Ok(answer)
    }

    fn create(&self, request: Create) -> Result<Value, Refusal> {
        let mut state = self.state();
        if state.secrets.contains_key(&request.name) {
            return Err(Refusal::new(
                "ResourceExistsException",
                format!("The operation failed because the secret {} already exists.", request.name),
            ));
        }
        let versions = state.secrets.entry(request.name.clone()).or_default();
        let stages = [CURRENT.to_owned()];
        let (id, text) = (request.client_request_token, request.secret_string);
        let version = add_version(versions, id, text, stages, self.clock.now());
        Ok(described(&request.name, version))
    }

    fn put_value(&self, name: &str, request: Put) -> Result<Value, Refusal> {
        let mut state = self.state();
        let versions = state.secrets.get_mut(name).ok_or_else(|| Refusal::not_found("secret"))?;
        // The token makes a repeated call harmless, and a different one under it an error.
        if let Some(same) = versions.iter().find(|it| it.id == request.client_request_token) {
            if same.text == request.secret_string {
                return Ok(described(name, same));
            }
            return Err(Refusal::new(
                "ResourceExistsException",
                "A resource with the ID you requested already exists.",
            ));
        }
        let stages = request.version_stages.unwrap_or_else(|| vec![CURRENT.to_owned()]);
        let (id, text) = (request.client_request_token, request.secret_string);
        Ok(described(name, add_version(versions, id, text, stages, self.clock.now())))
    }
}

async fn answer(State(secrets): State<Secrets>, headers: HeaderMap, body: Bytes) -> Response {
    let (status, body) = match secrets.call(&headers, &body) {
        Ok(answer) => (StatusCode::OK, answer),
        Err(refusal) => {
            (refusal.status, json!({"__type": refusal.code, "Message": refusal.message}))
        }
    };
    (status, [(CONTENT_TYPE, "application/x-amz-json-1.1")], body.to_string()).into_response()
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    if serde_json::from_slice::<serde::de::IgnoredAny>(body).is_err() {
        return Err(Refusal::new("SerializationException", ""));
    }
    // The parser's message names the missing member; it would also quote a value of the wrong type.
    serde_json::from_slice(body).map_err(|error| match error.to_string() {
        missing if missing.starts_with("missing field") => {
            Refusal::new("ValidationException", missing)
        }
        _ => Refusal::new("SerializationException", ""),
    })
}

/// Stores a version, moves its labels to it, and forgets versions left without any.
fn add_version(
    versions: &mut Vec<Version>,
    id: String,
    text: String,
    stages: impl IntoIterator<Item = String>,
    created: OffsetDateTime,
) -> &Version {
    let mut stages: BTreeSet<String> = stages.into_iter().collect();
    if versions.is_empty() {
        stages.insert(CURRENT.to_owned());
    }
    for version in versions.iter_mut() {
        let was_current = version.stages.contains(CURRENT);
        version.stages.retain(|stage| !stages.contains(stage));
        if stages.contains(CURRENT) {
            version.stages.remove(PREVIOUS);
            if was_current {
                version.stages.insert(PREVIOUS.to_owned());
            }
        }
    }
    versions.retain(|version| !version.stages.is_empty());
    let at = versions.len();
    versions.push(Version { id, text, stages, created });
    &versions[at]
}

fn described(name: &str, version: &Version) -> Value {
    json!({
        "ARN": arn(name),
        "Name": name,
        "VersionId": version.id,
        "VersionStages": version.stages,
    })
}

/// The ARN of a secret. Secrets Manager adds six characters of its own to the name.
fn arn(name: &str) -> String {
    format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-local0")
}

/// The name in a secret's id, which is its name or its whole ARN.
fn name_of(id: &str) -> &str {
    let prefix = format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:");
    id.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix("-local0")).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{access::Permission, standins::tests::call};

    fn stand_in() -> Secrets {
        let access = Access::default();
        let permission = Permission {
            action: "secretsmanager:GetSecretValue".to_owned(),
            resource: format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:service-*"),
            conditions: Vec::new(),
        };
        access.permit("SignUp", vec![permission]);
        Secrets::new(Clock::default(), access)
    }

    async fn send(secrets: &Secrets, caller: &str, action: &str, body: Value) -> (u16, Value) {
        let target = format!("secretsmanager.{action}");
        let headers = [("x-amz-target", target.as_str())];
        let (status, body) =
            call(secrets.router(), Some(caller), &headers, &body.to_string()).await;
        (status, serde_json::from_str(&body).expect("JSON"))
    }

    #[tokio::test]
    async fn a_function_reads_only_the_secret_its_policy_names() {
        let secrets = stand_in();
        secrets.put("service", &json!({"a": 1}));
        secrets.put("other", &json!({"b": 2}));
        let get = |id| json!({"SecretId": id});
        let (status, body) =
            send(&secrets, "LOCALSignUp", "GetSecretValue", get("service".to_owned())).await;
        assert_eq!((status, &body["SecretString"]), (200, &json!(r#"{"a":1}"#)));
        assert_eq!(body["VersionStages"], json!([CURRENT]));
        let (status, _) =
            send(&secrets, "LOCALSignUp", "GetSecretValue", get(arn("service"))).await;
        assert_eq!(status, 200);
        let (status, body) =
            send(&secrets, "LOCALSignUp", "GetSecretValue", get("other".to_owned())).await;
        assert_eq!((status, &body["__type"]), (400, &json!("AccessDeniedException")));
        let (status, body) =
            send(&secrets, "OPERATOR", "GetSecretValue", get("none".to_owned())).await;
        assert_eq!((status, &body["__type"]), (400, &json!("ResourceNotFoundException")));
    }

    #[tokio::test]
    async fn a_new_value_makes_the_old_one_previous_and_the_oldest_vanish() {
        let secrets = stand_in();
        let create = json!({"Name": "s", "ClientRequestToken": "t1", "SecretString": "one"});
        assert_eq!(send(&secrets, "OPERATOR", "CreateSecret", create.clone()).await.0, 200);
        let (_, again) = send(&secrets, "OPERATOR", "CreateSecret", create).await;
        assert_eq!(again["__type"], "ResourceExistsException");
        for (token, text) in [("t2", "two"), ("t3", "three"), ("t3", "three")] {
            let put = json!({"SecretId": "s", "ClientRequestToken": token, "SecretString": text});
            assert_eq!(send(&secrets, "OPERATOR", "PutSecretValue", put).await.0, 200);
        }
        for (key, value, expected) in [
            ("VersionStage", CURRENT, "three"),
            ("VersionStage", PREVIOUS, "two"),
            ("VersionId", "t2", "two"),
        ] {
            let get = json!({"SecretId": "s", key: value});
            let (_, body) = send(&secrets, "OPERATOR", "GetSecretValue", get).await;
            assert_eq!(body["SecretString"], expected);
        }
        let get = json!({"SecretId": "s", "VersionId": "t1"});
        let (_, body) = send(&secrets, "OPERATOR", "GetSecretValue", get).await;
        assert_eq!(body["__type"], "ResourceNotFoundException");
    }

    #[tokio::test]
    async fn what_is_malformed_or_comes_at_a_bad_time_is_refused() {
        let secrets = stand_in();
        let (_, body) = send(&secrets, "OPERATOR", "GetSecretValue", json!({})).await;
        assert_eq!(body["__type"], "ValidationException");
        let (_, body) = send(&secrets, "OPERATOR", "DeleteEverything", json!({})).await;
        assert_eq!(body["__type"], "UnknownOperationException");
        secrets.fault(Fault::Down);
        assert_eq!(send(&secrets, "OPERATOR", "GetSecretValue", json!({})).await.0, 500);
        secrets.fault(Fault::Throttle);
        let (_, body) = send(&secrets, "OPERATOR", "GetSecretValue", json!({})).await;
        assert_eq!(body["__type"], "ThrottlingException");
    }
}
