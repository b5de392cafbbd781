//! The program of `batch-videos`.

fn main() -> vidintel::program::Ended {
    functions_video::batch_videos::main()
}
