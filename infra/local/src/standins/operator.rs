//! What the operator's AWS CLI asks: CloudFormation for the name of a function, and Lambda to run it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::post,
};
use http::{
    HeaderMap, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use serde_json::{Value, json};

use super::Fault;
use crate::runtime::Runtime;

/// What CloudFormation makes up at the end of a name.
const SUFFIX: &str = "aB3xY9zK2LmN";

/// The stand-in. Clones share one record.
#[derive(Clone, Debug)]
pub struct Operator {
    stack: String,
    /// Logical ids by physical names.
    functions: Arc<BTreeMap<String, String>>,
    runtime: Runtime,
    state: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    orders: Vec<(String, Value)>,
    fault: Fault,
}

impl Operator {
    /// That of a stack with these functions, by their logical ids.
    pub fn new<'a>(
        stack: &str,
        functions: impl Iterator<Item = &'a str>,
        runtime: Runtime,
    ) -> Self {
        let named = functions.map(|id| (format!("{stack}-{id}-{SUFFIX}"), id.to_owned()));
        let functions = Arc::new(named.collect());
        Self { stack: stack.to_owned(), functions, runtime, state: Arc::default() }
    }

    /// Every order that was sent so far: the function's logical id and the event.
    pub fn orders(&self) -> Vec<(String, Value)> {
        self.state().orders.clone()
    }

    /// Lets answers of functions be lost from now on, after they were run; or none.
    pub fn fault(&self, fault: Fault) {
        self.state().fault = fault;
    }

    fn state(&self) -> MutexGuard<'_, Seen> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Both services: they are told apart by their paths.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/", post(cloudformation))
            .route("/2015-03-31/functions/{name}/invocations", post(invoke))
            .with_state(self.clone())
    }
}

/// Whether a request is signed at all: nobody is known here, and no page of another site can do that unasked.
fn is_signed(headers: &HeaderMap) -> bool {
    let given = headers.get(AUTHORIZATION).and_then(|it| it.to_str().ok());
    given.is_some_and(|it| it.starts_with("AWS4-HMAC-SHA256 Credential="))
}

/// CloudFormation, by its query protocol.
async fn cloudformation(
    State(operator): State<Operator>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !is_signed(&headers) {
        return refused(StatusCode::FORBIDDEN, "MissingAuthenticationToken", "Unsigned.");
    }
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    if (field("Action"), field("Version")) != ("DescribeStackResource", "2010-05-15") {
        return refused(StatusCode::BAD_REQUEST, "InvalidAction", "There is no such action here.");
    }
    let (stack, id) = (field("StackName"), field("LogicalResourceId"));
    if stack != operator.stack {
        let message = format!("Stack '{stack}' does not exist");
        return refused(StatusCode::BAD_REQUEST, "ValidationError", &message);
    }
    let Some((name, _)) = operator.functions.iter().find(|it| it.1 == id) else {
        let message = format!("Resource {id} does not exist for stack {stack}");
        return refused(StatusCode::BAD_REQUEST, "ValidationError", &message);
    };
    xml(
        StatusCode::OK,
        &format!(
            "<DescribeStackResourceResponse \
               xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\">\
             <DescribeStackResourceResult><StackResourceDetail>\
             <StackName>{stack}</StackName><LogicalResourceId>{id}</LogicalResourceId>\
             <PhysicalResourceId>{name}</PhysicalResourceId>\
             <ResourceType>AWS::Lambda::Function</ResourceType>\
             <LastUpdatedTimestamp>2026-11-24T12:00:00Z</LastUpdatedTimestamp>\
             <ResourceStatus>CREATE_COMPLETE</ResourceStatus>\
             </StackResourceDetail></DescribeStackResourceResult>\
             <ResponseMetadata><RequestId>local</RequestId></ResponseMetadata>\
             </DescribeStackResourceResponse>"
        ),
    )
}

fn refused(status: StatusCode, code: &str, message: &str) -> Response {
    // What was sent stands in the message.
    let message = message.replace('&', "&amp;").replace('<', "&lt;");
    let kind = "Sender";
    xml(
        status,
        &format!(
            "<ErrorResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><Error>\
             <Type>{kind}</Type><Code>{code}</Code><Message>{message}</Message></Error>\
             <RequestId>local</RequestId></ErrorResponse>"
        ),
    )
}

fn xml(status: StatusCode, body: &str) -> Response {
    (status, [(CONTENT_TYPE, "text/xml")], body.to_owned()).into_response()
}

/// Lambda's `Invoke`, waiting for the answer.
async fn invoke(
    State(operator): State<Operator>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let error = |status: StatusCode, kind: &'static str, message: String| {
        let body = Json(json!({ "Type": "User", "message": message }));
        (status, [("x-amzn-errortype", kind)], body).into_response()
    };
    if !is_signed(&headers) {
        let message = "Missing Authentication Token".to_owned();
        return error(StatusCode::FORBIDDEN, "MissingAuthenticationTokenException", message);
    }
    let kind = headers.get("x-amz-invocation-type").and_then(|it| it.to_str().ok());
    if kind.is_some_and(|it| it != "RequestResponse") {
        let message = "only invocations that are waited for are supported here".to_owned();
        return error(StatusCode::BAD_REQUEST, "InvalidParameterValueException", message);
    }
    let Some(id) = operator.functions.get(&name) else {
        let message = format!("Function not found: {name}");
        return error(StatusCode::NOT_FOUND, "ResourceNotFoundException", message);
    };
    let Ok(event) = serde_json::from_slice::<Value>(&body) else {
        let message = "Could not parse request body into json".to_owned();
        return error(StatusCode::BAD_REQUEST, "InvalidRequestContentException", message);
    };
    operator.state().orders.push((id.clone(), event));
    let outcome = operator.runtime.invoke(id, body).await;
    match operator.state().fault {
        Fault::None => {}
        Fault::Throttle => {
            let kind = "TooManyRequestsException";
            return error(StatusCode::TOO_MANY_REQUESTS, kind, "Rate Exceeded.".to_owned());
        }
        Fault::Down => {
            let message = "An error occurred and the request cannot be processed.".to_owned();
            return error(StatusCode::INTERNAL_SERVER_ERROR, "ServiceException", message);
        }
    }
    match outcome {
        Ok(answer) => ([("x-amz-executed-version", "$LATEST")], answer).into_response(),
        Err(failure) => {
            ([("x-amz-function-error", "Unhandled")], Json(failure.to_json())).into_response()
        }
    }
}
