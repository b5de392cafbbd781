//! The program of `get-hashtag`.

fn main() -> vidintel::program::Ended {
    functions_video::get_hashtag::main()
}
