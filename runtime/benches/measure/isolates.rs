//! A fresh isolate, ready for a contract, against what V8 alone needs for the same snapshot.

#![allow(unsafe_code, reason = "V8's own interface")]

use std::ffi::c_void;
use std::time::{Duration, Instant};

use deno_core::v8;
use tana_runtime::engine::Engine;

use crate::figures::{Figure, Target, median};

const TIMES: usize = 300;

/// Stands for everything that the snapshot refers to outside: nothing of it is called or read.
static ANYTHING: v8::OneByteConst = v8::String::create_external_onebyte_const(b"");
/// More than the snapshot refers to.
const REFERENCES: usize = 4096;

pub(crate) fn figure() -> Figure {
    let engine = Engine::warm();
    let snapshot = engine.snapshot().expect("V8 starts from a snapshot");
    // deno_core appends data of its own and, last, the length of V8's part.
    let (rest, length) = snapshot.split_at(snapshot.len() - size_of::<usize>());
    let blob = &rest[..usize::from_le_bytes(length.try_into().unwrap())];
    let (mut fresh, mut bare) = (Vec::new(), Vec::new());
    // In turn, so that what else this machine does meets both.
    for _ in 0..TIMES {
        let started = Instant::now();
        let isolate = engine.make(64 << 20);
        fresh.push(started.elapsed());
        drop(isolate);
        bare.push(bare_isolate(blob));
    }
    let micros = |times: Vec<Duration>| {
        median(
            times
                .into_iter()
                .map(|time| time.as_secs_f64() * 1e6)
                .collect(),
        )
    };
    println!("snapshot: {} KiB", blob.len() >> 10);
    Figure {
        what: "fresh isolate, ready, from the snapshot",
        measured: micros(fresh),
        unit: "µs",
        against: "µs, v8::Isolate and context from it",
        reference: micros(bare),
        target: Target::AtMost(1.5),
    }
}

fn bare_isolate(blob: &'static [u8]) -> Duration {
    let pointer = std::ptr::from_ref(&ANYTHING).cast_mut().cast::<c_void>();
    let references = vec![v8::ExternalReference { pointer }; REFERENCES];
    let started = Instant::now();
    let params = v8::CreateParams::default()
        .heap_limits(0, 64 << 20)
        .external_references(references.into())
        .snapshot_blob(v8::StartupData::from(blob));
    let mut isolate = v8::Isolate::new(params);
    {
        v8::scope!(let scope, &mut isolate);
        let context = v8::Context::from_snapshot(scope, 1, v8::ContextOptions::default())
            .or_else(|| v8::Context::from_snapshot(scope, 0, v8::ContextOptions::default()));
        assert!(context.is_some());
    }
    started.elapsed()
}
