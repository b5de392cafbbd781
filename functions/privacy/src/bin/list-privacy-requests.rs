//! The program of `list-privacy-requests`.

fn main() -> vidintel::program::Ended {
    functions_privacy::list_privacy_requests::main()
}
