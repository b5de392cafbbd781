//! The program of `list-comments`.

fn main() -> vidintel::program::Ended {
    functions_video::list_comments::main()
}
