//! The program of `get-export`.

fn main() -> vidintel::program::Ended {
    functions_privacy::get_export::main()
}
