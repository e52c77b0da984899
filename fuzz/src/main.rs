//! What libFuzzer drives. Without the feature `libfuzzer` it only says how it is meant to be run.
#![cfg_attr(feature = "libfuzzer", no_main)]
#![cfg_attr(
    feature = "libfuzzer",
    allow(unsafe_code, reason = "libFuzzer finds its entry by an unmangled name")
)]

#[cfg(feature = "libfuzzer")]
mod driver {
    use std::sync::LazyLock;

    /// The target that the environment names.
    static RUN: LazyLock<fn(&[u8])> = LazyLock::new(|| {
        #[expect(
            clippy::disallowed_methods,
            reason = "libFuzzer reads the arguments itself; `cargo xtask fuzz` names the target here"
        )]
        let name = std::env::var("TANA_FUZZ_TARGET").expect("TANA_FUZZ_TARGET names a target");
        tana_fuzz::target(&name).expect("a target of that name").run
    });

    libfuzzer_sys::fuzz_target!(|data: &[u8]| RUN(data));
}

#[cfg(not(feature = "libfuzzer"))]
fn main() -> std::process::ExitCode {
    eprintln!("this is built and run by: cargo xtask fuzz [TARGET]");
    std::process::ExitCode::FAILURE
}
