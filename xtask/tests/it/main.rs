//! End-to-end tests: the real binaries, a real terminal, nothing imported from the product.
//!
//! `cargo xtask test --only e2e` builds the binaries and names their directory in `TANA_TEST_BIN`. Every wait is a
//! condition with a deadline; a deadline that the product promises is asserted, any other is only there to end a
//! run that hangs.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod api;
mod binary;
mod console;
mod console_content;
mod console_context;
mod console_day;
mod console_first;
mod console_jobs;
mod console_loss;
mod console_many;
mod console_picture;
mod console_play;
mod console_qr;
mod console_sign;
mod console_ssh;
mod contracts;
mod crash;
mod deployed;
mod edge;
mod faults;
mod flood;
mod http;
mod load;
mod login;
mod mesh;
mod money;
mod node;
mod picture;
mod plain;
mod process;
mod programs;
mod proofs;
mod schema;
mod servers;
mod services;
mod shell;
mod soak;
mod sockets;
mod swarm;
mod terminal;
mod three;
mod wait;
mod wire;
