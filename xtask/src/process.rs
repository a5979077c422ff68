//! Children: started in their own process groups, remembered, and ended on every way out (return, error, panic, signal).
//!
//! On Linux `setpriv` also binds services to our life, so that not even `kill -9` leaves one behind.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How long an asked child may take to end before it is killed.
const GRACE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);

static GROUPS: Mutex<Vec<Group>> = Mutex::new(Vec::new());
static FOLDERS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// A process group, by the id of its leader, and the signal that ends it cleanly.
#[derive(Clone, Copy)]
struct Group {
    leader: u32,
    signal: &'static str,
}

impl Group {
    /// Asks the group to end, waits for its leader, then kills what is left of it.
    fn end(self) {
        self.send(self.signal);
        let asked = Instant::now();
        while is_running(self.leader) && asked.elapsed() < GRACE {
            thread::sleep(POLL);
        }
        self.send("KILL");
    }

    fn send(self, signal: &str) {
        let group = format!("-{}", self.leader);
        // The shell's own `kill` is always there. A group that is gone already is what we want.
        drop(
            Command::new("sh")
                .args(["-c", "kill -s \"$1\" -- \"$2\"", "sh", signal, &group])
                .stderr(Stdio::null())
                .status(),
        );
    }
}

/// Whether a process exists and is not merely waiting to be reaped.
fn is_running(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        stat.rsplit_once(')')
            .is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
    })
}

fn lock<T>(list: &'static Mutex<Vec<T>>) -> MutexGuard<'static, Vec<T>> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From here on Ctrl-C, SIGTERM and a closed terminal end all children and folders first.
pub(crate) fn end_children_on_signals() -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("watch for signals")?;
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            INTERRUPTED.store(true, Ordering::SeqCst);
            let groups: Vec<Group> = lock(&GROUPS).iter().rev().copied().collect();
            for group in groups {
                group.end();
            }
            for folder in lock(&FOLDERS).drain(..) {
                drop(std::fs::remove_dir_all(folder));
            }
            eprintln!("interrupted");
            std::process::exit(128 + signal);
        }
    });
    Ok(())
}

/// While the signal's thread cleans up, nothing else may start or report.
fn park_if_interrupted() {
    while INTERRUPTED.load(Ordering::SeqCst) {
        thread::park_timeout(Duration::from_secs(1));
    }
}

/// A child in a group of its own; ended when dropped.
pub(crate) struct Running {
    child: Child,
    group: Group,
    name: String,
}

impl Running {
    /// `signal`: what ends it cleanly, such as `TERM`.
    pub(crate) fn start(command: &mut Command, signal: &'static str) -> Result<Self> {
        park_if_interrupted();
        let name = command.get_program().to_string_lossy().into_owned();
        let mut groups = lock(&GROUPS);
        let child = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| format!("start {name}"))?;
        let group = Group {
            leader: child.id(),
            signal,
        };
        groups.push(group);
        Ok(Self { child, group, name })
    }

    pub(crate) fn id(&self) -> u32 {
        self.group.leader
    }

    pub(crate) fn wait(&mut self) -> Result<ExitStatus> {
        let status = self
            .child
            .wait()
            .with_context(|| format!("wait for {}", self.name))?;
        park_if_interrupted();
        Ok(status)
    }

    /// The exit status, if it has ended.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        let status = self
            .child
            .try_wait()
            .with_context(|| format!("look at {}", self.name))?;
        park_if_interrupted();
        Ok(status)
    }

    /// Polls `ready` until it is true; fails when the child ends first or `limit` passes.
    pub(crate) fn wait_until(
        &mut self,
        what: &str,
        limit: Duration,
        mut ready: impl FnMut() -> bool,
    ) -> Result<()> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.ended()? {
                bail!("{what} ended before it was ready ({status})");
            }
            if ready() {
                return Ok(());
            }
            if start.elapsed() > limit {
                bail!("{what} was not ready after {} s", limit.as_secs());
            }
            thread::sleep(POLL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.group.end();
        drop(self.child.wait());
        lock(&GROUPS).retain(|group| group.leader != self.group.leader);
    }
}

/// Binds a service to our life where the system can (`setpriv`, Linux), optionally as another user.
pub(crate) fn bound(program: &Path, user: Option<&str>, death: &str) -> Command {
    let Some(setpriv) = crate::repo::which(&["setpriv"]) else {
        return Command::new(program);
    };
    let mut command = Command::new(setpriv);
    if let Some(user) = user {
        command
            .arg(format!("--reuid={user}"))
            .arg(format!("--regid={user}"))
            .arg("--init-groups");
    }
    command
        .arg(format!("--pdeathsig={death}"))
        .arg("--")
        .arg(program);
    command
}

/// Runs to the end with our own output; another status than 0 is an error that shows the command.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = Running::start(command, "INT")?.wait()?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

/// Runs to the end and returns its standard output; the error output is shown.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let mut text = String::new();
    let status = lines(command, |line| {
        text.push_str(line);
        text.push('\n');
    })?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(text)
}

/// Runs to the end and hands every line of its standard output to `each`.
pub(crate) fn lines(command: &mut Command, mut each: impl FnMut(&str)) -> Result<ExitStatus> {
    let mut running = Running::start(command.stdout(Stdio::piped()), "INT")?;
    let stdout = running
        .child
        .stdout
        .take()
        .context("the child has no output")?;
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line.with_context(|| format!("read the output of `{}`", shown(command)))?;
        each(String::from_utf8_lossy(&line).trim_end_matches('\r'));
    }
    running.wait()
}

/// The standard output of a quick question, or nothing if it could not be asked or failed.
pub(crate) fn ask(command: &mut Command) -> Option<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Where Linux keeps files in memory.
const MEMORY: &str = "/dev/shm";

/// Bytes that have to be free there; the tests need about a tenth.
const MEMORY_ROOM: u64 = 8 << 30;

/// Whether programs may be started from there; tests write some.
fn takes_programs(mounts: &str) -> bool {
    mounts.lines().any(|mount| {
        let mut words = mount.split(' ').skip(1);
        words.next() == Some(MEMORY)
            && words.next() == Some("tmpfs")
            && !words
                .next()
                .is_some_and(|options| options.split(',').any(|option| option == "noexec"))
    })
}

/// Bytes that are free in a folder's file system.
fn room(folder: &Path) -> u64 {
    let answer = ask(Command::new("df")
        .args(["--output=avail", "--block-size=1"])
        .arg(folder));
    let last = answer.as_deref().and_then(|text| text.lines().last());
    last.and_then(|line| line.trim().parse().ok()).unwrap_or(0)
}

/// A folder that is removed when dropped and on signals.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// A new folder under the system's temporary folder, for this user alone.
    pub(crate) fn temporary(name: &str) -> Result<Self> {
        Self::below(&std::env::temp_dir(), name)
    }

    /// The same in memory where the machine has room there: what is forced to a disk for safety costs nothing.
    pub(crate) fn fleeting(name: &str) -> Result<Self> {
        let memory = Path::new(MEMORY);
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
        if takes_programs(&mounts) && room(memory) >= MEMORY_ROOM {
            Self::below(memory, name)
        } else {
            Self::temporary(name)
        }
    }

    fn below(base: &Path, name: &str) -> Result<Self> {
        use std::os::unix::fs::DirBuilderExt as _;
        let mut builder = std::fs::DirBuilder::new();
        builder.mode(0o700);
        for number in 0.. {
            let path = base.join(format!("entrepot-{name}-{}-{number}", std::process::id()));
            match builder.create(&path) {
                Ok(()) => {
                    lock(&FOLDERS).push(path.clone());
                    return Ok(Self(path));
                }
                Err(error)
                    if error.kind() == std::io::ErrorKind::AlreadyExists && number < 1000 => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("create {}", path.display()));
                }
            }
        }
        bail!("no free name for a temporary folder in {}", base.display())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
        lock(&FOLDERS).retain(|folder| *folder != self.0);
    }
}

/// Runs one step and prints its time; the step's own word ("unchanged", a size) stands behind it.
pub(crate) fn step<N: std::fmt::Display>(
    name: &str,
    work: impl FnOnce() -> Result<N>,
) -> Result<()> {
    let start = Instant::now();
    println!("==> {name}");
    let note = work().with_context(|| name.to_owned())?.to_string();
    let seconds = start.elapsed().as_secs_f64();
    let gap = if note.is_empty() { "" } else { ", " };
    println!("    {name}: {seconds:.1} s{gap}{note}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_child_is_gone_with_its_own_children() -> Result<()> {
        let folder = Folder::temporary("process-test")?;
        let pids = folder.path().join("pids");
        let script = format!(
            "sleep 600 & echo $! > '{0}.new'; mv '{0}.new' '{0}'; wait",
            pids.display()
        );
        let mut running = Running::start(Command::new("sh").args(["-c", &script]), "TERM")?;
        running.wait_until("the script", Duration::from_secs(20), || pids.exists())?;
        let leader = running.id();
        let grandchild: u32 = std::fs::read_to_string(&pids)?.trim().parse()?;
        assert!(is_running(leader) && is_running(grandchild));
        drop(running);
        assert!(!is_running(leader));
        let start = Instant::now();
        while is_running(grandchild) && start.elapsed() < GRACE {
            thread::sleep(POLL);
        }
        assert!(!is_running(grandchild));
        Ok(())
    }

    #[test]
    fn a_child_that_ends_early_is_not_waited_for() -> Result<()> {
        let mut running = Running::start(Command::new("sh").args(["-c", "exit 3"]), "TERM")?;
        let error = running
            .wait_until("the script", Duration::from_secs(20), || false)
            .expect_err("it never is ready");
        assert!(
            error.to_string().contains("ended before it was ready"),
            "{error}"
        );
        Ok(())
    }

    #[test]
    fn output_is_given_line_by_line_and_failures_name_the_command() -> Result<()> {
        assert_eq!(
            output(Command::new("sh").args(["-c", "echo a; echo b"]))?,
            "a\nb\n"
        );
        let error = run(Command::new("sh").args(["-c", "exit 7"])).expect_err("status 7");
        assert!(error.to_string().contains("sh -c exit 7"), "{error}");
        Ok(())
    }

    #[test]
    fn memory_is_used_only_where_programs_can_be_started() {
        let mount =
            |options: &str| format!("proc /proc proc rw 0 0\ntmpfs /dev/shm tmpfs {options} 0 0\n");
        assert!(takes_programs(&mount("rw,nosuid,nodev")));
        assert!(!takes_programs(&mount(
            "rw,nosuid,nodev,noexec,size=65536k"
        )));
        assert!(!takes_programs("proc /proc proc rw 0 0\n"));
        assert!(room(Path::new("/")) > 0);
    }

    #[test]
    fn temporary_folders_are_private_and_go_away() -> Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = Folder::temporary("folder-test")?;
        let path = folder.path().to_owned();
        assert_eq!(path.metadata()?.permissions().mode() & 0o777, 0o700);
        drop(folder);
        assert!(!path.exists());
        Ok(())
    }
}
