//! Every minute: drains the log streams into the table, settles quotas, takes back idle leases.

use lambda_runtime::{LambdaEvent, run, service_fn};
use serde_json::Value;
use vidintel::{app::App, jobs, usage};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    vidintel::telemetry::init();
    let app = &App::from_env()?;
    run(service_fn(|event: LambdaEvent<Value>| async move {
        let time = jobs::event_time(&event.payload)?;
        let done = usage::roll_up(app, time).await?;
        let metrics = [
            ("UsageLogAgeSeconds", done.oldest_seconds as f64, "Seconds"),
            ("UsageEntriesUnreadable", done.unreadable as f64, "Count"),
            ("GatesCorrected", done.leases.corrected as f64, "Count"),
        ];
        vidintel::telemetry::metrics(time.unix_timestamp() * 1000, "roll-up-usage", &metrics);
        Ok::<_, lambda_runtime::Error>(serde_json::to_value(done)?)
    }))
    .await
}
