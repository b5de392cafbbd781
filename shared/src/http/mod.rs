//! HTTP at the edge: reading a request strictly, answering uniformly.

mod call;
mod headers;
mod metered;
mod problem;
mod reply;
mod serve;
mod shape;

pub use self::{
    call::Call,
    metered::{Served, Visit, authenticate, authenticate_holder},
    problem::{Problem, problem},
    reply::Reply,
    serve::{Handler, serve, serve_metered},
    shape::Shape,
};
