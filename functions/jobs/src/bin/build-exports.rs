//! The program of `build-exports`.

fn main() -> vidintel::program::Ended {
    functions_jobs::build_exports::main()
}
