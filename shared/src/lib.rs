//! What the functions of the TikTok Video Intelligence API share.
//!
//! # Layout
//!
//! A function's own file reads a request, calls in here, and shapes the answer. Each domain is a
//! module with its pure rules, its storage and its types:
//!
//! - [`gate`]: keys, limits and quota of metered endpoints; [`keys`], [`plans`] and [`accounts`]
//!   are what it lets through.
//! - [`video`]: what TikTok's official interfaces say of a video; [`flight`] asks them once for
//!   many; [`upstream`] is the HTTP client underneath.
//! - [`sandbox`]: what the same questions are answered with under a key of the sandbox.
//! - [`usage`]: from a request to its log entry, statistics and settlement.
//! - [`inventory`]: every category of personal data, declared once; [`retention`] enforces it,
//!   [`policy`] publishes it, [`privacy`] answers requests by it, [`audit`] records it.
//! - [`objections`]: creators who want to be left out, and who they are asked of.
//! - [`app`], [`aws`], [`config`], [`secrets`], [`store`], [`files`], [`redis`], [`mail`]: the
//!   clients.
//! - [`http`], [`error`], [`telemetry`], [`openapi`], [`docs`], [`pages`], [`views`], [`jobs`], [`ops`], [`program`]: the
//!   edge.

pub mod accounts;
pub mod app;
pub mod audit;
pub mod aws;
pub mod billing;
pub mod config;
pub mod dates;
pub mod docs;
pub mod error;
pub mod files;
pub mod flight;
pub mod gate;
pub mod http;
pub mod ids;
pub mod inventory;
pub mod jobs;
pub mod keys;
pub mod lookup;
pub mod mail;
pub mod objections;
pub mod openapi;
pub mod ops;
pub mod pages;
mod patience;
pub mod plans;
pub mod policy;
pub mod privacy;
pub mod program;
pub mod queue;
pub mod redis;
pub mod retention;
pub mod sandbox;
pub mod secrets;
pub mod store;
pub mod telemetry;
pub mod upstream;
pub mod usage;
pub mod video;
pub mod views;
