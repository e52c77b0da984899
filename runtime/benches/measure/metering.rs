//! What the meter costs: the same programs, with charges and metered built-ins, and as they were written.
//!
//! Each is measured against two others: without charges in the same isolate (its built-ins are metered all the same),
//! and in an isolate of the engine alone, where nothing is.

use std::rc::Rc;
use std::time::{Duration, Instant};

use deno_core::{JsRuntime, RuntimeOptions};
use tana_runtime::engine::{self, Engine};
use tana_runtime::host::{LocalContext, LocalHost};
use tana_sandbox::message::{Exports, Invocation, Limits, Metered};

use crate::figures::{Figure, Target, median};

const TIMES: usize = 7;

/// What is measured, and a body that returns something that depends on all of it.
const PROGRAMS: [(&str, &str, &str); 4] = [
    (
        "metering: fib(30)",
        "metering: fib(30), against V8 alone",
        "const fib = (n) => n < 2 ? n : fib(n - 1) + fib(n - 2); return fib(30);",
    ),
    (
        "metering: sorting",
        "metering: sorting, against V8 alone",
        "let seed = 1, sum = 0; for (let round = 0; round < 20; round++) { const all = []; \
         for (let i = 0; i < 20000; i++) { seed = (seed * 1103515245 + 12345) % 2147483648; all.push(seed); } \
         all.sort((a, b) => a - b); sum += all[100]; } return sum;",
    ),
    (
        "metering: building texts",
        "metering: building texts, against V8 alone",
        "let length = 0; for (let round = 0; round < 100; round++) { let text = ''; const parts = []; \
         for (let i = 0; i < 3000; i++) { text += 'item ' + i + ';'; parts.push(`<li>${i}</li>`); } \
         length += text.length + parts.join('\\n').length + text.indexOf('item 2999') + text.slice(10, 90).toUpperCase().length; } return length;",
    ),
    (
        "metering: JSON",
        "metering: JSON, against V8 alone",
        "const order = []; for (let i = 0; i < 400; i++) order.push({ id: i, name: 'item ' + i, tags: ['a', 'b'], price: { amount: i / 4, currency: 'USD' } }); \
         let length = 0; for (let round = 0; round < 100; round++) { const text = JSON.stringify(order); length += text.length + JSON.parse(text).length; } return length;",
    ),
];

pub(crate) async fn figures() -> Vec<Figure> {
    let mut engine = Engine::warm();
    let mut figures = Vec::new();
    let (mut ratios, mut strict) = (Vec::new(), Vec::new());
    for (what, alone, body) in PROGRAMS {
        let source = format!("export function contract() {{\n{body}\n}}\n");
        let plain = Metered {
            code: source.clone(),
            exports: Exports {
                contract: true,
                ..Exports::default()
            },
        };
        let (mut metered, mut same, mut bare) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..TIMES {
            metered.push(run(&mut engine, &source, None).await);
            same.push(run(&mut engine, &source, Some(plain.clone())).await);
            bare.push(engine_alone(body));
        }
        let (metered, same, bare) = (median(metered), median(same), median(bare));
        ratios.push(metered / same);
        strict.push(metered / bare);
        let figure = |what, against, reference| Figure {
            what,
            measured: metered,
            unit: "ms",
            against,
            reference,
            target: Target::AtMost(2.5),
        };
        figures.push(figure(what, "ms without charges, same isolate", same));
        figures.push(figure(alone, "ms in a bare isolate", bare));
    }
    for (what, ratios) in [
        ("metering, middle of the four", ratios),
        ("metering, middle of the four, against V8 alone", strict),
    ] {
        figures.push(Figure {
            what,
            measured: middle(ratios),
            unit: "x",
            against: "x",
            reference: 1.0,
            target: Target::AtMost(1.5),
        });
    }
    figures
}

/// The median of an even number of values lies between two.
fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    f64::midpoint(values[half - 1], values[half])
}

/// Milliseconds of one execution in an isolate that is ready, until its outcome is there.
async fn run(engine: &mut Engine, source: &str, metered: Option<Metered>) -> f64 {
    let mut invocation = Invocation::new("contract.ts", source);
    invocation.metered = metered;
    invocation.limits = Limits {
        gas: Limits::MAX_GAS,
        cpu_ms: 60_000,
        wall_ms: 60_000,
        ..Limits::default()
    };
    let host = Rc::new(LocalHost::new(LocalContext::default()));
    let outcome = engine::run(engine, Rc::new(invocation), host).await;
    assert!(outcome.success, "{outcome:?}");
    Duration::from_micros(outcome.usage.wall_us).as_secs_f64() * 1e3
}

/// Milliseconds of the same in an isolate in which nothing is metered.
fn engine_alone(body: &str) -> f64 {
    let mut runtime = JsRuntime::new(RuntimeOptions::default());
    let started = Instant::now();
    runtime
        .execute_script("bare.js", format!("(function () {{\n{body}\n}})()"))
        .unwrap();
    started.elapsed().as_secs_f64() * 1e3
}
