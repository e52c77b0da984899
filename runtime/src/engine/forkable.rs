//! V8 asks the kernel to leave its memory out of forked processes, to make forking cheap for programs that start others
//! that way. Executions are forked from the memory of an isolate, so this one wish is not passed on.

use std::ffi::{c_int, c_void};

/// What every library of this program calls for `madvise(2)`: the C library's, without `MADV_DONTFORK`.
///
/// # Safety
/// As for `madvise(2)`.
#[allow(unsafe_code, reason = "takes the place of a function of the C library")]
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn madvise(
    address: *mut c_void,
    length: usize,
    advice: c_int,
) -> c_int {
    if advice == libc::MADV_DONTFORK {
        return 0;
    }
    // SAFETY: what the caller asked for, unchanged.
    let answer = unsafe { libc::syscall(libc::SYS_madvise, address, length, advice) };
    // 0, or -1 with `errno` set.
    c_int::from(answer != 0).wrapping_neg()
}
