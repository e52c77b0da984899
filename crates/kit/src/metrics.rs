//! `GET /metrics`: request counters and latency, memory and processor time of the process, in Prometheus' text form.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper bounds of the latency histogram, in seconds.
const BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];
const REQUESTS: &str = "http_requests_total";
const LATENCY: &str = "http_request_duration_seconds";
/// Samples are folded into their buckets this often, so that an unread registry does not grow.
const FOLD_EVERY: u32 = 4096;

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
static SINCE_FOLD: AtomicU32 = AtomicU32::new(0);

/// Installs the process-wide recorder, once; daemons count with the macros of the `metrics` crate.
pub fn install() -> &'static PrometheusHandle {
    HANDLE.get_or_init(|| {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)
            .unwrap_or_default()
            .build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("another metrics recorder is installed; /metrics stays empty");
        }
        metrics::describe_counter!(REQUESTS, "requests answered");
        metrics::describe_histogram!(
            LATENCY,
            metrics::Unit::Seconds,
            "time until the answer's head was ready"
        );
        metrics::describe_gauge!(
            "process_resident_memory_bytes",
            metrics::Unit::Bytes,
            "resident memory"
        );
        metrics::describe_gauge!(
            "process_cpu_seconds_total",
            metrics::Unit::Seconds,
            "processor time, user and system"
        );
        handle
    })
}

/// Answers `GET /metrics`.
pub(crate) async fn answer() -> Response {
    let usage = crate::metrics::usage("/proc/self");
    if let Some(usage) = usage {
        #[allow(clippy::cast_precision_loss)]
        metrics::gauge!("process_resident_memory_bytes").set(usage.resident_bytes as f64);
        metrics::gauge!("process_cpu_seconds_total").set(usage.cpu_seconds);
    }
    let handle = install();
    handle.run_upkeep();
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        handle.render(),
    )
        .into_response()
}

/// Counts every request under its route, so that ids in paths make no series of their own.
pub(crate) async fn count(request: Request, next: Next) -> Response {
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched
        .as_ref()
        .map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let method = method_name(request.method());
    let began = Instant::now();
    let mut response = next.run(request).await;
    if let Some(matched) = matched {
        // For the layers around this one, which do not know the route.
        response.extensions_mut().insert(matched);
    }
    let status = response.status().as_u16().to_string();
    metrics::counter!(REQUESTS, "method" => method, "route" => route.clone(), "status" => status)
        .increment(1);
    metrics::histogram!(LATENCY, "method" => method, "route" => route)
        .record(began.elapsed().as_secs_f64());
    if SINCE_FOLD.fetch_add(1, Ordering::Relaxed) % FOLD_EVERY == FOLD_EVERY - 1 {
        install().run_upkeep();
    }
    response
}

/// A client may send any method; only the known ones make series.
fn method_name(method: &http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        "PATCH" => "PATCH",
        _ => "other",
    }
}

/// What a process uses, from `/proc/<pid>`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// Resident memory.
    pub resident_bytes: u64,
    /// Processor time since its start, user and system.
    pub cpu_seconds: f64,
}

/// Reads `/proc/<pid>/stat`; `None` where there is none.
#[must_use]
pub fn usage(process: &str) -> Option<Usage> {
    let stat = std::fs::read_to_string(format!("{process}/stat")).ok()?;
    // The name in parentheses may hold anything; what follows the last one is numbers.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let number = |field: usize| fields.get(field)?.parse::<u64>().ok();
    let ticks = number(11)?.saturating_add(number(12)?);
    let page = u64::try_from(
        nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE)
            .ok()
            .flatten()?,
    )
    .ok()?;
    let per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK)
        .ok()
        .flatten()?;
    #[allow(clippy::cast_precision_loss)]
    let cpu_seconds = ticks as f64 / per_second as f64;
    Some(Usage {
        resident_bytes: number(21)?.saturating_mul(page),
        cpu_seconds,
    })
}
