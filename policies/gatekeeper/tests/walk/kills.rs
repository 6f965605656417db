//! Kill -9 at every write, sync, cut, removal and renaming of `submit`, `issue`, `reconcile` and the signer, then the same
//! again.

use crate::blocks::{Blocks, transaction};
use crate::office::{Office, Payment, Said, said};
use gatekeeper::ledger::Ledger;
use gatekeeper::ledger::state::Reservation;
use policies::codec::Canonical;
use policies::permit::Permit;
use psbt_tools::envelope::Kind;
use std::collections::BTreeSet;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Calls that change what a crash leaves behind. The question marks are for machines that lack one.
const CALLS: &str = "trace=?write,?writev,?pwrite64,?pwritev,?fdatasync,?fsync,?ftruncate,?fallocate,?unlink,\
                     ?unlinkat,?rename,?renameat,?renameat2,?link,?linkat";

/// Most kills of a run that is not `AIRLOCK_LONG`.
const SAMPLE: usize = 60;

/// The payment whose submission is killed.
const FILE: &str = "2.psbt";
const OUT: &str = "2-permitted.psbt";

/// A copy of the office's ledger and requests, to be hurt.
struct Site {
    folder: PathBuf,
}

impl Site {
    fn new(office: &Office, name: &str) -> Self {
        Self::with(office, name, &[FILE, "fits.psbt", "one-more.psbt"])
    }

    fn with(office: &Office, name: &str, files: &[&str]) -> Self {
        let folder = office.path(name);
        copy_files(&office.path("ledger"), &folder.join("ledger"));
        for file in files {
            std::fs::copy(office.path(file), folder.join(file)).unwrap();
        }
        Self { folder }
    }

    /// Below these words, in this folder.
    fn command(&self, words: &[&str], arguments: &[&str]) -> Said {
        let mut words = words.iter().chain(&[env!("CARGO_BIN_EXE_gatekeeper"), "--data", "ledger"]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words).args(arguments).current_dir(&self.folder).stdin(Stdio::null());
        said(command.output().unwrap())
    }

    fn run(&self, arguments: &[&str]) -> Said {
        self.command(&[], arguments)
    }

    /// Runs under the tracer. Gives the calls that were entered, in their order, and whether it was killed.
    fn traced(&self, arguments: &[&str], kill: Option<&(String, usize)>) -> (Vec<String>, bool) {
        let words = tracer(kill);
        self.command(&words.iter().map(String::as_str).collect::<Vec<_>>(), arguments);
        self.trace()
    }

    /// The same for the signer, which a program of its name before the others in PATH puts below the tracer.
    fn signer_traced(&self, kill: Option<&(String, usize)>) -> (Vec<String>, bool) {
        let bin = self.folder.join("bin");
        std::fs::create_dir(&bin).unwrap();
        let words = tracer(kill).join(" ");
        let script = format!("#!/bin/sh\nPATH=${{PATH#*:}} exec {words} ssh-keygen \"$@\"\n");
        std::fs::write(bin.join("ssh-keygen"), script).unwrap();
        std::fs::set_permissions(bin.join("ssh-keygen"), Permissions::from_mode(0o700)).unwrap();
        let path = format!("PATH={}:{}", bin.display(), std::env::var("PATH").unwrap());
        self.command(&["env", &path], &["submit", FILE]);
        std::fs::remove_dir_all(bin).unwrap();
        self.trace()
    }

    fn trace(&self) -> (Vec<String>, bool) {
        let trace = std::fs::read_to_string(self.folder.join("trace")).unwrap();
        std::fs::remove_file(self.folder.join("trace")).unwrap();
        let calls = trace.lines().filter_map(|line| line.split_once('(')).map(|(call, _)| call.to_owned());
        (calls.collect(), trace.contains("killed by SIGKILL"))
    }

    /// What the ledger holds of the payment, read from a copy: whoever submits next recovers the original.
    fn held(&self) -> Option<Reservation> {
        let copy = self.folder.join("copy");
        copy_files(&self.folder.join("ledger"), &copy);
        let held = Ledger::open(&copy).unwrap().state().unwrap().reservations().nth(1).cloned();
        std::fs::remove_dir_all(copy).unwrap();
        held
    }

    fn permit(&self, office: &Office, name: &str) -> Permit {
        office.permit(&self.folder.join(name).display().to_string())
    }

    fn names(&self) -> Vec<String> {
        names(&self.folder)
    }
}

/// An office before the second payment; `None`, said aloud, where OpenSSH or the tracer is not installed.
fn office() -> Option<Office> {
    let office = Office::open()?;
    if !Command::new("strace").arg("--version").output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: strace is not installed");
        return None;
    }
    // 2 BTC a day: after the first two payments, the third fits to the satoshi, and the fourth is one satoshi more.
    for (number, sat, name) in [
        (1, 90_000_000, "1.psbt"),
        (2, 60_000_000, FILE),
        (3, 49_970_000, "fits.psbt"),
        (4, 49_970_001, "one-more.psbt"),
    ] {
        office.requested(&Payment::new(number, sat), name);
    }
    office.run(&["submit", "1.psbt"]).done();
    Some(office)
}

/// The tracer's command line: kills when the call is entered for that time, or only notes the calls.
fn tracer(kill: Option<&(String, usize)>) -> Vec<String> {
    let mut words: Vec<_> = ["strace", "-qq", "-o", "trace", "-e", CALLS].map(str::to_owned).into();
    if let Some((call, when)) = kill {
        words.extend(["-e".to_owned(), format!("inject={call}:signal=SIGKILL:when={when}")]);
    }
    words
}

/// Each call with its number among those of its kind.
fn numbered(calls: &[String]) -> Vec<(String, usize)> {
    let number = |at: usize| calls.iter().take(at + 1).filter(|call| **call == calls[at]).count();
    calls.iter().enumerate().map(|(at, call)| (call.clone(), number(at))).collect()
}

/// All of them, or so many of them evenly that a run is short.
fn sampled(calls: &[String]) -> Vec<(String, usize)> {
    let all = numbered(calls);
    let long = std::env::var("AIRLOCK_LONG").is_ok_and(|value| value == "1");
    let sites: Vec<_> = match all.len() > SAMPLE && !long {
        true => (0..SAMPLE).map(|n| all[n * (all.len() - 1) / (SAMPLE - 1)].clone()).collect(),
        false => all.clone(),
    };
    if sites.len() < all.len() {
        eprintln!("{} of {} kill sites, evenly; AIRLOCK_LONG=1 takes all", sites.len(), all.len());
    }
    sites
}

#[test]
fn a_submit_killed_at_any_write_ends_in_one_permit_that_is_charged_once() {
    let Some(office) = office() else { return };
    let dry = Site::new(&office, "dry");
    let (calls, killed) = dry.traced(&["submit", FILE], None);
    assert!(!killed && dry.names().contains(&OUT.to_owned()), "the dry run permits");
    let sites = sampled(&calls);

    let (mut hit, mut nothing, mut reserved, mut permitted, mut parts) = (0, 0, 0, 0, 0);
    for (call, when) in &sites {
        let site = Site::new(&office, &format!("{call}-{when}"));
        let (_, killed) = site.traced(&["submit", FILE], Some(&(call.clone(), *when)));
        assert!(killed, "{call} {when} was not reached");
        hit += 1;
        let held = site.held();
        match &held {
            None => nothing += 1,
            Some(held) if held.signature.is_none() => reserved += 1,
            Some(_) => permitted += 1,
        }
        parts += again(&office, &site, held);
        std::fs::remove_dir_all(&site.folder).unwrap();
    }
    eprintln!(
        "kill sites: {}, hit: {hit} (before the reservation {nothing}, before the permit {reserved}, after it {permitted}; \
         {parts} hidden temporary files)",
        sites.len()
    );
    assert_eq!(hit, sites.len());
    assert!(nothing > 0 && reserved > 0 && permitted > 0, "every state of the ledger was met");
}

#[test]
fn a_submit_whose_signer_is_killed_at_any_write_ends_in_one_permit_that_is_charged_once() {
    let Some(office) = office() else { return };
    let (calls, killed) = Site::new(&office, "dry").signer_traced(None);
    assert!(!killed && !calls.is_empty(), "the dry run signs");
    for (call, when) in numbered(&calls) {
        let site = Site::new(&office, &format!("{call}-{when}"));
        let (_, killed) = site.signer_traced(Some(&(call.clone(), when)));
        assert!(killed, "{call} {when} was not reached");
        let held = site.held();
        assert!(held.as_ref().is_some_and(|held| held.signature.is_none()), "reserved and not yet permitted");
        assert_eq!(again(&office, &site, held), 0);
    }
    eprintln!("kill sites of the signer: {}, hit: {}", calls.len(), calls.len());
}

/// An office whose next payment has its approvals and brings the chain with it.
fn office_with_approvals() -> Option<Office> {
    let office = Office::with_managers()?;
    if !Command::new("strace").arg("--version").output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: strace is not installed");
        return None;
    }
    let first = Payment::new(1, 9_000_000);
    office.requested(&first, "1.psbt");
    office.run(&["submit", "1.psbt"]).done();
    office.requested(&Payment::new(2, 60_000_000), "asked.psbt");
    assert_eq!(office.run(&["submit", "asked.psbt"]).code, 4);
    let mut file = "asked.psbt".to_owned();
    for name in ["anna", "ben", "carl"] {
        let out = format!("{name}.psbt");
        office.run(&["approve", &file, "--key", name, "-o", &out]).done();
        file = out;
    }
    std::fs::rename(office.path(&file), office.path(FILE)).unwrap();
    let mut blocks = Blocks::new();
    blocks.mine_empty(1, 12);
    blocks.mine(1, &[transaction(&office, &first)]);
    blocks.mine_empty(1, 5);
    office.add_document(FILE, Kind::Facts, blocks.facts(&office, 1).to_bytes());
    blocks.write(&office, 1, "facts");
    Some(office)
}

#[test]
fn an_issue_with_facts_and_approvals_killed_at_any_write_ends_in_one_permit_that_is_charged_once() {
    let Some(office) = office_with_approvals() else { return };
    let issue = ["issue", FILE, "-o", OUT];
    let dry = Site::with(&office, "dry", &[FILE]);
    let (calls, killed) = dry.traced(&issue, None);
    assert!(!killed && dry.names().contains(&OUT.to_owned()), "the dry run permits");
    let events = |site: &Site| site.run(&["log", "verify", "--json"]).done().json()["events"].as_u64();
    let expected = events(&dry);
    let sites = sampled(&calls);
    let (mut hit, mut met) = (0, BTreeSet::new());
    for (call, when) in &sites {
        let site = Site::with(&office, &format!("{call}-{when}"), &[FILE]);
        let (_, killed) = site.traced(&issue, Some(&(call.clone(), *when)));
        assert!(killed, "{call} {when} was not reached");
        hit += 1;
        let held = site.held();
        met.insert(held.as_ref().map(|held| held.signature.is_some()));
        let came_out = site.names().contains(&OUT.to_owned());
        let out = if came_out { "again.psbt" } else { OUT };
        site.run(&["issue", FILE, "-o", out]).done();
        let permit = site.permit(&office, out);
        if came_out {
            assert_eq!(site.permit(&office, OUT), permit);
        }
        assert!(
            held.as_ref().is_none_or(|held| held.reserved.statement == permit.statement),
            "another statement"
        );
        assert!(
            held.and_then(|held| held.permit()).is_none_or(|earlier| earlier == permit),
            "another permit"
        );
        assert_eq!((permit.statement.approvals.len(), permit.statement.vaults[0].sequence), (3, 2));
        assert!(permit.statement.issued_mtp > 0, "the facts are older than the permit");
        assert_eq!(events(&site), expected, "charged once");
        std::fs::remove_dir_all(&site.folder).unwrap();
    }
    eprintln!("kill sites of issue: {}, hit: {hit}", sites.len());
    assert_eq!(hit, sites.len());
    assert_eq!(met, BTreeSet::from([None, Some(false), Some(true)]), "every state of the ledger was met");
}

#[test]
fn a_reconcile_killed_at_any_write_takes_the_facts_whole_or_not_at_all() {
    let Some(office) = office_with_approvals() else { return };
    let reconcile = ["reconcile", "--facts", "facts", "--json"];
    let dry = Site::with(&office, "dry", &["facts"]);
    let (calls, killed) = dry.traced(&reconcile, None);
    assert!(!killed);
    let expected = dry.run(&reconcile).done().stdout;
    let events =
        |site: &Site| site.run(&["log", "verify", "--json"]).done().json()["events"].as_u64().unwrap();
    let (before, after) = (office.events(), events(&dry));
    assert_eq!(after, before + 1);
    let sites = sampled(&calls);
    let mut met = BTreeSet::new();
    for (call, when) in &sites {
        let site = Site::with(&office, &format!("{call}-{when}"), &["facts"]);
        let (_, killed) = site.traced(&reconcile, Some(&(call.clone(), *when)));
        assert!(killed, "{call} {when} was not reached");
        met.insert(events(&site));
        assert_eq!(site.run(&reconcile).done().stdout, expected);
        assert_eq!(events(&site), after);
        std::fs::remove_dir_all(&site.folder).unwrap();
    }
    eprintln!("kill sites of reconcile: {}, hit: {}", sites.len(), sites.len());
    assert_eq!(met, BTreeSet::from([before, after]));
}

/// The same submit after a crash that left `held` in the ledger. Gives how many temporary files the crash left.
fn again(office: &Office, site: &Site, held: Option<Reservation>) -> usize {
    let came_out = site.names().contains(&OUT.to_owned()).then(|| site.permit(office, OUT));
    let parts = parts_of(site, came_out.is_some());
    let ledger_permit = held.as_ref().and_then(Reservation::permit);
    let permit = match came_out {
        Some(permit) => {
            // A file comes out whole, and only after its permit is durable; it is never replaced.
            assert_eq!(Some(&permit), ledger_permit.as_ref());
            assert_eq!(site.run(&["submit", FILE]).code, 3);
            site.run(&["submit", FILE, "-o", "again.psbt"]).done();
            assert_eq!(site.permit(office, OUT), permit);
            site.permit(office, "again.psbt")
        }
        None => {
            site.run(&["submit", FILE]).done();
            site.permit(office, OUT)
        }
    };
    assert!(ledger_permit.is_none_or(|earlier| earlier == permit), "another permit than before");
    assert!(held.is_none_or(|held| held.reserved.statement == permit.statement), "another statement");
    let place = permit.statement.vaults[0];
    assert_eq!(place.sequence, 2, "the permits are one chain");
    charged_once(site);
    assert_eq!(names(&site.folder.join("ledger")), ["authority.pub", "ledger.sqlite", "permit-key.path"]);
    parts
}

fn charged_once(site: &Site) {
    let shown = site.run(&["show", "--json"]).done().json();
    let payments = shown["payments"].as_array().unwrap();
    let sums: Vec<_> = payments.iter().map(|payment| payment["outflow_sat"].as_u64().unwrap()).collect();
    assert_eq!(sums, [90_010_000, 60_010_000]);
    assert!(payments.iter().all(|payment| payment["state"] == "permitted"), "{shown}");
    // Founded, vault added, and reserved and permitted twice.
    assert_eq!(site.run(&["log", "verify", "--json"]).done().json()["events"], 6);
    site.run(&["check", "fits.psbt"]).done();
    assert_eq!(site.run(&["check", "one-more.psbt", "--json"]).refusals(), ["limit-per-window"]);
}

/// A program that is killed while it writes cannot clean up: at most its one hidden file, and none once OUT is there.
fn parts_of(site: &Site, came_out: bool) -> usize {
    let known = [FILE, OUT, "fits.psbt", "one-more.psbt", "ledger"];
    let others: Vec<_> = site.names().into_iter().filter(|name| !known.contains(&name.as_str())).collect();
    let is_part = |name: &String| name.starts_with(&format!(".{OUT}.")) && name.ends_with(".part");
    assert!(others.iter().all(is_part), "{others:?}");
    assert!(others.len() <= usize::from(!came_out), "{others:?}");
    others.len()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for name in names(from) {
        std::fs::copy(from.join(&name), to.join(&name)).unwrap();
    }
}
