//! The program of `purge-webhook-events`.

fn main() -> vidintel::program::Ended {
    functions_jobs::purge_webhook_events::main()
}
