//! Hourly: deletes API logs before they are 30 days old.

use lambda_runtime::{LambdaEvent, run, service_fn};
use serde_json::Value;
use vidintel::{app::App, jobs, retention};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    vidintel::telemetry::init();
    let app = &App::from_env()?;
    run(service_fn(|event: LambdaEvent<Value>| async move {
        let time = jobs::event_time(&event.payload)?;
        let deadline = jobs::stop_before(event.context.deadline());
        let purged = retention::API_LOGS.run(&app.store, time, deadline).await?;
        let metrics = [
            ("RetentionDue", purged.due as f64, "Count"),
            ("RetentionDeleted", purged.deleted as f64, "Count"),
            ("RetentionOverdue", purged.overdue as f64, "Count"),
            ("RetentionIncomplete", f64::from(u8::from(!purged.complete)), "Count"),
        ];
        vidintel::telemetry::metrics(time.unix_timestamp() * 1000, "purge-api-logs", &metrics);
        Ok::<_, lambda_runtime::Error>(serde_json::to_value(purged)?)
    }))
    .await
}
