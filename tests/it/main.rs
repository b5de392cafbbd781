//! Behaviour, driven as each user drives it: over HTTP, through the real function binaries, in a
//! local cloud of its own for each test.

mod accounts;
mod addresses;
mod allowance;
mod bad_input;
mod batch;
mod contract;
mod creators;
mod docs;
mod erasure;
mod erasure_races;
mod exports;
mod exports_races;
mod flights;
mod gate;
mod gate_properties;
mod health;
mod journey;
mod keys;
mod objected;
mod objections;
mod objections_list;
mod openapi;
mod policy;
mod restore;
mod retention;
mod retention_years;
mod review;
mod rotation;
mod sandbox;
mod sandbox_apart;
mod search;
mod shape;
mod usage;
mod util;
mod videos;
