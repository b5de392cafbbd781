//! HTTP at the edge: reading a request strictly, answering uniformly.

mod call;
mod headers;
mod metered;
mod problem;
mod problem_kinds;
mod reply;
mod sender;
mod serve;
mod shape;

pub use self::{
    call::Call,
    metered::{Served, Visit, authenticate, authenticate_holder},
    problem::{Problem, kind, problem},
    problem_kinds::{KINDS, Kind},
    reply::Reply,
    serve::{Handler, serve, serve_metered},
    shape::Shape,
};
