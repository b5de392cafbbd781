//! The program of `process-mail-events`.

fn main() -> vidintel::program::Ended {
    functions_jobs::process_mail_events::main()
}
