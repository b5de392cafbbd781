//! Small stand-ins for services outside, each an axum router over shared state. They check what
//! they are sent and refuse what the real service refuses.

pub mod events;
pub mod mailbox;
pub mod operator;
pub mod s3;
pub mod secrets;
pub mod ses;
pub mod sqs;
pub mod stripe;
pub mod tiktok;

/// The account that everything here belongs to.
pub const ACCOUNT: &str = "000000000000";

/// The region that everything here is in.
pub const REGION: &str = "eu-west-1";

/// What is wrong with an AWS service at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Every call is refused as one too many.
    Throttle,
    /// Every call fails inside the service.
    Down,
}

#[cfg(test)]
pub(crate) mod tests {
    use axum::{Router, body::Body};
    use http::{Request, header::AUTHORIZATION};
    use http_body_util::BodyExt;
    use hyper::service::Service;
    use hyper_util::service::TowerToHyperService;

    /// Posts `body` to `/` as `caller` (an access key id): status and body of the answer.
    pub(crate) async fn call(
        router: Router,
        caller: Option<&str>,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (u16, String) {
        let mut request = Request::post("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(key) = caller {
            let scope = "20261124/eu-west-1/service/aws4_request";
            request =
                request.header(AUTHORIZATION, format!("AWS4-HMAC-SHA256 Credential={key}/{scope}"));
        }
        send(router, request.body(Body::from(body.to_owned())).expect("a request")).await
    }

    /// Status and body of the answer to `request`.
    pub(crate) async fn send(router: Router, request: Request<Body>) -> (u16, String) {
        let answer = TowerToHyperService::new(router).call(request).await.expect("an answer");
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.expect("a body").to_bytes();
        (status, String::from_utf8(body.to_vec()).expect("UTF-8"))
    }
}
