//! The program's own code in huge pages. A forked copy takes them over with the page table; of code in small pages of a
//! file it would take over nothing, and find one part after the other.

#![allow(unsafe_code, reason = "the library has no other way to move memory")]

use std::ffi::{c_int, c_void};
use std::io;
use std::ops::Range;
use std::ptr::null_mut;

use libc::{
    MADV_COLLAPSE, MADV_HUGEPAGE, MAP_ANONYMOUS, MAP_FAILED, MAP_PRIVATE, MREMAP_FIXED,
    MREMAP_MAYMOVE, PF_R, PF_X, PROT_EXEC, PROT_READ, PROT_WRITE, PT_LOAD,
};

const HUGE: usize = 2 << 20;

/// Moves it there, where the kernel has such pages. Call it while there is no other thread.
///
/// # Errors
/// Why the code stays where it is: it runs all the same.
pub(super) fn move_to_huge_pages() -> io::Result<()> {
    let mut code: Range<usize> = 0..0;
    // SAFETY: `find_code` takes what it is given for what it is here.
    unsafe { libc::dl_iterate_phdr(Some(find_code), (&raw mut code).cast()) };
    let code = code.start.next_multiple_of(HUGE)..code.end / HUGE * HUGE;
    if code.is_empty() {
        return Ok(());
    }
    let copy = Area::anonymous(code.len())?;
    // SAFETY: the code is mapped readable, and the area is as long.
    unsafe {
        check(libc::madvise(copy.start(), code.len(), MADV_HUGEPAGE))?;
        std::ptr::copy_nonoverlapping(code.start as *const u8, copy.start().cast(), code.len());
        // Tells whether every page is a huge one, having made those that were not.
        check(libc::madvise(copy.start(), code.len(), MADV_COLLAPSE))?;
        check(libc::mprotect(
            copy.start(),
            code.len(),
            PROT_READ | PROT_EXEC,
        ))?;
    }
    // The kernel takes the code away before it counts what takes its place: where it has no room for as much again, that is
    // to be known before.
    drop(Area::anonymous(code.len())?);
    copy.take_the_place_of(&code)
}

/// Finds the code of the first object, which is the program.
unsafe extern "C" fn find_code(
    object: *mut libc::dl_phdr_info,
    _: usize,
    found: *mut c_void,
) -> c_int {
    // SAFETY: the loader's own description, and the range of the caller.
    let (object, found) = unsafe { (&*object, &mut *found.cast::<Range<usize>>()) };
    // SAFETY: as many as it says.
    let headers =
        unsafe { std::slice::from_raw_parts(object.dlpi_phdr, usize::from(object.dlpi_phnum)) };
    let code = headers
        .iter()
        .find(|header| header.p_type == PT_LOAD && header.p_flags == PF_R | PF_X);
    if let Some(code) = code {
        let place = |offset: u64| usize::try_from(object.dlpi_addr + offset).unwrap_or(0);
        *found = place(code.p_vaddr)..place(code.p_vaddr + code.p_memsz);
    }
    1
}

/// Memory of its own, to its end.
struct Area {
    mapped: Range<usize>,
    start: usize,
}

impl Area {
    /// So many bytes that begin where a huge page may.
    fn anonymous(length: usize) -> io::Result<Self> {
        let mapped = length + HUGE;
        // SAFETY: takes the place of nothing.
        let first = unsafe {
            libc::mmap(
                null_mut(),
                mapped,
                PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if first == MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let first = first as usize;
        Ok(Self {
            mapped: first..first + mapped,
            start: first.next_multiple_of(HUGE),
        })
    }

    fn start(&self) -> *mut c_void {
        self.start as *mut c_void
    }

    /// Moves it to where the same bytes are already.
    fn take_the_place_of(self, range: &Range<usize>) -> io::Result<()> {
        // SAFETY: what was there is there again when this call returns, and nothing else runs meanwhile.
        let moved = unsafe {
            libc::mremap(
                self.start(),
                range.len(),
                range.len(),
                MREMAP_MAYMOVE | MREMAP_FIXED,
                range.start as *mut c_void,
            )
        };
        if moved == MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        // SAFETY: what has been moved away is no longer mapped here, and nobody else maps meanwhile.
        unsafe { libc::munmap(self.mapped.start as *mut c_void, self.mapped.len()) };
    }
}

fn check(answer: c_int) -> io::Result<()> {
    if answer == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
