//! The program of `list-creator-videos`.

fn main() -> vidintel::program::Ended {
    functions_video::list_creator_videos::main()
}
