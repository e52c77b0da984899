//! Programs that measurements compare with: brought where they can be had, left out with a line where not.

use std::path::{Path, PathBuf};

use crate::cargo;
use crate::machine::{self, cache_dir, find, is_root};

/// A program to compare with, installed where Debian has it and this may be done; a line says when it cannot be had.
pub(crate) fn of_debian(name: &'static str) -> Option<PathBuf> {
    if find(name).is_none() && is_root() && find("apt-get").is_some() {
        println!("installing {name}, to compare with");
        let install = || machine::apt(&["install", "-y", "--no-install-recommends"], &[name]);
        if install().is_err() && machine::apt(&["update"], &[]).is_ok() {
            // The line below says what came of it.
            let _again = install();
        }
    }
    let found = find(name);
    if found.is_none() {
        println!("{name} cannot be had here: it is left out of the comparison");
    }
    found
}

/// The same from the npm registry, into the cache: the native program that the package brings for this machine.
pub(crate) fn of_npm(name: &'static str) -> Option<PathBuf> {
    let left_out = |why: &str| {
        println!("{name} cannot be had here ({why}): it is left out of the comparison");
        None
    };
    if let Some(found) = find(name) {
        return Some(found);
    }
    let (Some(npm), Some(cache)) = (find("npm"), cache_dir()) else {
        return left_out("it comes with npm, which is not installed");
    };
    let dir = cache.join("npm");
    if native(&dir.join("node_modules"), name).is_none() {
        println!("installing {name} from the npm registry, to compare with");
        let mut install = cargo::command(npm);
        install
            .args(["install", "--no-audit", "--no-fund", "--prefix"])
            .arg(&dir)
            .arg(name);
        if std::fs::create_dir_all(&dir).is_err() || cargo::run(&mut install).is_err() {
            return left_out("npm did not install it");
        }
    }
    native(&dir.join("node_modules"), name).map_or_else(|| left_out("no program in it"), Some)
}

/// The first program of this name below a directory that is built for this kind of machine.
fn native(dir: &Path, name: &str) -> Option<PathBuf> {
    for entry in std::fs::read_dir(dir).ok()?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            if let Some(found) = native(&path, name) {
                return Some(found);
            }
        } else if path.file_name().is_some_and(|file| file == name)
            && elf_machine(&path)
                .is_some_and(|it| Some(it) == elf_machine(Path::new("/proc/self/exe")))
        {
            return Some(path);
        }
    }
    None
}

/// What an ELF file's header says of the machine that it is for.
fn elf_machine(path: &Path) -> Option<[u8; 2]> {
    use std::io::Read as _;
    let mut head = [0; 20];
    std::fs::File::open(path).ok()?.read_exact(&mut head).ok()?;
    head.starts_with(b"\x7fELF").then(|| [head[18], head[19]])
}
