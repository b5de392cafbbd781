//! The program of `get-usage`.

fn main() -> vidintel::program::Ended {
    functions_account::get_usage::main()
}
