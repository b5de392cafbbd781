//! HTTP at the edge: reading a request strictly, answering uniformly.

mod body;
mod call;
mod event;
mod headers;
mod metered;
mod origin;
mod parameters;
pub(crate) mod paths;
mod problem;
mod problem_kinds;
mod reply;
mod sender;
mod serve;
mod shape;

pub(crate) use self::problem::{decorate, detail};
pub use self::{
    call::Call,
    metered::{Served, Visit, authenticate, authenticate_holder},
    parameters::known_parameters,
    paths::PATHS,
    problem::{Problem, Site, kind, problem},
    problem_kinds::{KINDS, Kind},
    reply::Reply,
    serve::{Handler, serve, serve_metered},
    shape::Shape,
};
