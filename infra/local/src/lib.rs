//! The whole cloud on one machine: for trying, for testing, for measuring.
//!
//! # Layout
//!
//! [`cloud::Cloud`] owns everything; [`Options`] say what kind of cloud it is. What is started
//! comes from the SAM template ([`template`]): the functions, built by [`binaries`] and run by
//! [`runtime`]; the routes that [`gateway`] serves as API Gateway does; the [`schedules`] that
//! [`timeline`] runs as the [`clock`] moves; the tables of [`dynamodb`]; and the permissions that
//! [`access`] holds every call against. [`redis`] is a real server, [`standins`] play the rest.
//! [`control`] lets the command line reach into a running cloud, and [`http`] is the client that
//! the tests use. [`mod@bench`] measures all this.

pub mod access;
pub mod bench;
pub mod binaries;
pub mod clock;
pub mod cloud;
pub mod control;
pub mod dynamodb;
pub mod gateway;
pub mod http;
pub mod redis;
pub mod runtime;
pub mod schedules;
mod serve;
pub mod standins;
pub mod template;
pub mod timeline;

use std::path::PathBuf;

pub use cloud::{Cloud, Options};

/// The root of the cargo workspace.
pub fn workspace() -> PathBuf {
    let mut path = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    path.pop();
    path.pop();
    path
}
