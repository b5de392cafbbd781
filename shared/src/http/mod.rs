//! HTTP at the edge: reading a request strictly, answering uniformly.

mod call;
mod headers;
mod metered;
pub(crate) mod paths;
mod problem;
mod problem_kinds;
mod reply;
mod serve;
mod shape;

pub(crate) use self::problem::{decorate, detail};
pub use self::{
    call::Call,
    metered::{Served, Visit, authenticate, authenticate_holder},
    paths::PATHS,
    problem::{Problem, kind, problem},
    problem_kinds::{KINDS, Kind},
    reply::Reply,
    serve::{Handler, serve, serve_metered},
    shape::Shape,
};
