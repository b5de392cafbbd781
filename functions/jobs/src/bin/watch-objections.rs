//! The program of `watch-objections`.

fn main() -> vidintel::program::Ended {
    functions_jobs::watch_objections::main()
}
