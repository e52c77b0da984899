//! `cargo xtask bench runtime`: how long a fresh isolate takes against a bare one from the same snapshot, and what the
//! meter costs against the same code without it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(
    dead_code,
    reason = "shared with the other measurements, which use all of it"
)]
#[path = "../../xtask/benches/measure/figures.rs"]
mod figures;
#[cfg(feature = "v8")]
#[path = "measure/isolates.rs"]
mod isolates;
#[path = "measure/metering.rs"]
mod metering;

use figures::print;
use tana_runtime::engine;

fn main() {
    // `cargo test --benches` passes this to every harness; there is nothing to test here.
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    engine::init(engine::Purpose::Many);
    let figures = engine::in_deep_thread(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let _guard = runtime.enter();
        let mut figures = Vec::new();
        #[cfg(feature = "v8")]
        figures.push(isolates::figure());
        figures.extend(runtime.block_on(metering::figures()));
        figures
    })
    .unwrap();
    print(&figures);
}
