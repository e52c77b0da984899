//! V8 asks the kernel to leave its memory out of forked processes, to make forking cheap for programs that start others
//! that way. Executions are forked from the memory of an isolate, so this one wish is not passed on.
//!
//! It also wishes for a random address for every piece of memory. Each piece then has page tables of its own, to be copied
//! by each fork and freed with each copy, several for every few pages. The kernel puts one beside the other, at random
//! as a whole.

use std::ffi::{c_int, c_void};
use std::ptr::null_mut;

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

/// What every library of this program calls for `mmap64(2)`: the C library's, without a wish for an address.
///
/// # Safety
/// As for `mmap64(2)`.
#[allow(unsafe_code, reason = "takes the place of a function of the C library")]
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn mmap64(
    address: *mut c_void,
    length: usize,
    protection: c_int,
    flags: c_int,
    file: c_int,
    offset: libc::off64_t,
) -> *mut c_void {
    let is_wish = flags & (libc::MAP_FIXED | libc::MAP_FIXED_NOREPLACE) == 0;
    let address = if is_wish { null_mut() } else { address };
    // SAFETY: what the caller asked for; a wish may be refused.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_mmap,
            address,
            length,
            protection,
            flags,
            file,
            offset,
        )
    };
    // An address, or -1 with `errno` set.
    answer as *mut c_void
}
