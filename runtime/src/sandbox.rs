//! Shuts a worker in: from then on its process opens no file and no socket and starts no program. What it still can
//! do is compute, use memory, and read and write what is open.
//!
//! An execution's process is forked from it and shut in further.
//!
//! Two fences, because either may be missing: seccomp refuses every system call that is not on a list, Landlock
//! refuses the file system and TCP as such. No limit on address space: V8 reserves tens of GiB of it.

use std::collections::BTreeMap;

use landlock::{ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetStatus};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

/// What holds a process.
pub struct Fences {
    gaps: Vec<String>,
    /// What an execution's process is refused on top; absent where the kernel refuses filters.
    execution: Option<BpfProgram>,
    process: Pid,
}

/// Shuts the process in. Call it on the thread that runs contracts, when everything that needs a file has been read:
/// seccomp holds for all threads, Landlock for this one and those that it starts. What it still can do is fork, for
/// [`Fences::enter_execution`].
#[must_use]
pub fn enter() -> Fences {
    let mut gaps = Vec::new();
    // A crash leaves no image of its memory behind, and what is open is enough.
    for (resource, most) in [(Resource::RLIMIT_CORE, 0), (Resource::RLIMIT_NOFILE, 32)] {
        if let Err(error) = setrlimit(resource, most, most) {
            gaps.push(format!("{resource:?} cannot be lowered: {error}"));
        }
    }
    if let Err(reason) = landlock() {
        gaps.push(format!("Landlock does not hold: {reason}"));
    }
    let execution = match seccomp() {
        Ok(execution) => Some(execution),
        Err(reason) => {
            gaps.push(format!("seccomp does not hold: {reason}"));
            None
        }
    };
    Fences {
        gaps,
        execution,
        process: Pid::this(),
    }
}

impl Fences {
    /// Fences that the kernel refused, each as a sentence. Empty: all stand.
    #[must_use]
    pub fn gaps(&self) -> &[String] {
        &self.gaps
    }

    /// Shuts in a process that was forked for one execution: it starts no process and does not outlive the one that it
    /// was forked from.
    ///
    /// # Errors
    /// Where a fence does not hold that held around the process before.
    pub fn enter_execution(&self) -> anyhow::Result<()> {
        set_pdeathsig(Signal::SIGKILL)?;
        // Before the line above it may have gone already.
        anyhow::ensure!(
            getppid() == self.process || Pid::this() == self.process,
            "the worker is gone"
        );
        if let Some(program) = &self.execution {
            seccompiler::apply_filter(program)?;
        }
        Ok(())
    }
}

fn landlock() -> Result<(), String> {
    // Best effort by design: an older kernel enforces what it knows, and seccomp has the rest.
    let abi = ABI::V4;
    let ended = Ruleset::default()
        .handle_access(AccessFs::from_all(abi))
        .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(abi)))
        .and_then(Ruleset::create)
        .and_then(landlock::RulesetCreated::restrict_self)
        .map_err(|error| error.to_string())?;
    match ended.ruleset {
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
        RulesetStatus::NotEnforced => Err("the kernel has none".to_owned()),
    }
}

/// Puts the worker's filters up, and gives the one of executions.
fn seccomp() -> Result<BpfProgram, String> {
    let programs = filters().map_err(|error| error.to_string())?;
    for program in &programs {
        seccompiler::apply_filter_all_threads(program).map_err(|error| error.to_string())?;
    }
    execution_filter().map_err(|error| error.to_string())
}

const fn bits(number: i32) -> u64 {
    number.unsigned_abs() as u64
}

fn is(argument: u8, value: u64) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, value)
}

fn masked(
    argument: u8,
    mask: u64,
    value: u64,
) -> Result<SeccompCondition, seccompiler::BackendError> {
    let within = SeccompCmpOp::MaskedEq(mask);
    SeccompCondition::new(argument, SeccompCmpArgLen::Qword, within, value)
}

/// No processes, and no way out of ending with the worker.
fn execution_filter() -> Result<BpfProgram, seccompiler::BackendError> {
    let thread = bits(libc::CLONE_THREAD);
    let refused = [
        (
            libc::SYS_clone,
            SeccompRule::new(vec![masked(0, thread, 0)?])?,
        ),
        (
            libc::SYS_prctl,
            SeccompRule::new(vec![is(0, bits(libc::PR_SET_PDEATHSIG))?])?,
        ),
    ];
    let mut refused = BTreeMap::from(refused.map(|(call, rule)| (call, vec![rule])));
    // The worker's own would be the only one: an abort goes on to an instruction that ends the process.
    refused.insert(libc::SYS_tgkill, Vec::new());
    SeccompFilter::new(
        refused,
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EPERM.unsigned_abs()),
        std::env::consts::ARCH.try_into()?,
    )?
    .try_into()
}

/// Everything fails with "not permitted", except what engine, allocator and the streams need. Of two filters the
/// stricter answer counts.
fn filters() -> Result<[BpfProgram; 2], seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = ALWAYS
        .iter()
        .chain(ON_THIS_MACHINE)
        .map(|call| (*call, Vec::new()))
        .collect();
    // Threads, and processes as `fork` makes them.
    let forked = bits(libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID | libc::SIGCHLD);
    let thread = bits(libc::CLONE_THREAD);
    rules.insert(
        libc::SYS_clone,
        vec![
            SeccompRule::new(vec![masked(0, thread, thread)?])?,
            SeccompRule::new(vec![is(0, forked)?])?,
        ],
    );
    // Not who is sent a signal when a stream is ready, nor how others who have it open find it.
    let commands = [
        libc::F_GETFL,
        libc::F_GETFD,
        libc::F_SETFD,
        libc::F_DUPFD_CLOEXEC,
    ];
    let commands: Result<Vec<_>, _> = commands
        .into_iter()
        .map(|command| SeccompRule::new(vec![is(1, bits(command))?]))
        .collect();
    rules.insert(libc::SYS_fcntl, commands?);
    // Names of threads and of memory.
    rules.insert(
        libc::SYS_prctl,
        vec![
            SeccompRule::new(vec![is(0, bits(libc::PR_SET_NAME))?])?,
            SeccompRule::new(vec![is(0, bits(libc::PR_SET_VMA))?])?,
            // What an execution is shut in with further.
            SeccompRule::new(vec![is(0, bits(libc::PR_SET_PDEATHSIG))?])?,
            SeccompRule::new(vec![is(0, bits(libc::PR_SET_NO_NEW_PRIVS))?])?,
        ],
    );
    // Reading limits, not setting them.
    rules.insert(
        libc::SYS_prlimit64,
        vec![SeccompRule::new(vec![is(2, 0)?])?],
    );
    // Signals to itself, for an abort.
    let own = u64::from(std::process::id());
    rules.insert(libc::SYS_tgkill, vec![SeccompRule::new(vec![is(0, own)?])?]);
    let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let arch = std::env::consts::ARCH.try_into()?;
    // `clone3` hides its flags from a filter; the C library takes `clone` where it does not exist.
    rules.insert(libc::SYS_clone3, Vec::new());
    let without_clone3 = SeccompFilter::new(
        [(libc::SYS_clone3, Vec::new())].into(),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::ENOSYS.unsigned_abs()),
        arch,
    )?;
    let listed = SeccompFilter::new(rules, refuse, SeccompAction::Allow, arch)?;
    Ok([without_clone3.try_into()?, listed.try_into()?])
}

const ALWAYS: &[i64] = &[
    libc::SYS_brk,
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_close,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_gettid,
    libc::SYS_gettimeofday,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_pkey_alloc,
    libc::SYS_pkey_free,
    libc::SYS_pkey_mprotect,
    libc::SYS_ppoll,
    libc::SYS_pread64,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_seccomp,
    libc::SYS_set_robust_list,
    libc::SYS_setitimer,
    libc::SYS_sigaltstack,
    libc::SYS_sysinfo,
    libc::SYS_uname,
    libc::SYS_wait4,
    libc::SYS_write,
    libc::SYS_writev,
];

#[cfg(target_arch = "x86_64")]
const ON_THIS_MACHINE: &[i64] = &[libc::SYS_arch_prctl, libc::SYS_epoll_wait, libc::SYS_poll];
#[cfg(not(target_arch = "x86_64"))]
const ON_THIS_MACHINE: &[i64] = &[];
