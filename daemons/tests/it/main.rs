//! The daemons over real HTTP.
#![allow(clippy::unwrap_used)]

mod approval;
mod chain_site;
mod content;
mod daemon;
mod handover;
mod identity;
mod ledger;
mod limits;
mod lists;
mod login_keys;
mod mesh;
mod mesh_guards;
mod node;
mod page;
mod peer;
mod postgres;
mod producers;
mod push;
mod queue;
mod recovery;
mod redis;
mod sovereigns;
mod supervisor;
mod t4;
mod t4_again;
mod t4_disk;
mod t4_read;
mod t4_rot;
mod tamper;
