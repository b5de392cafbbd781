//! The program of `download-export`.

fn main() -> vidintel::program::Ended {
    functions_privacy::download_export::main()
}
