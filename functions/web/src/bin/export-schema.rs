//! The program of `export-schema`.

fn main() -> vidintel::program::Ended {
    functions_web::export_schema::main()
}
