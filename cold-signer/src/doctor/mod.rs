//! Whether this machine is fit to hold keys: what the kernel can do, what connects it with the world, and what could
//! carry memory to a disk. Nothing is changed, and no passphrase is needed.

mod camera;
mod kernel;
mod machine;
mod place;

use crate::table::table;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// As it should be.
    Ok,
    /// Worth knowing, in nobody's way.
    Note,
    /// In the way.
    Bad,
}

/// One line of the preflight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub name: &'static str,
    /// How it is.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What to type or to do, where something is in the way or could be better.
    pub fix: Option<String>,
}

/// What is looked at.
#[derive(Debug, Clone)]
pub struct Patient {
    /// Where `/proc` and `/sys` are: `/`, but for tests.
    pub root: PathBuf,
    /// The store, which need not exist.
    pub store: PathBuf,
    /// The console's program; the vault's lies beside it.
    pub console: PathBuf,
    /// Memory that a new store's key derivation takes, in KiB.
    pub kdf_kib: u64,
    /// Whether a live network was allowed.
    pub allow_network: bool,
    /// Unix time in seconds.
    pub now: u64,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Note => "note",
            State::Bad => "bad",
        }
    }
}

impl Finding {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: State::Ok, found: found.into(), fix: None }
    }

    fn note(name: &'static str, found: impl Into<String>, fix: Option<&str>) -> Self {
        Self { name, state: State::Note, found: found.into(), fix: fix.map(str::to_owned) }
    }

    fn bad(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, state: State::Bad, found: found.into(), fix: Some(fix.into()) }
    }
}

impl Patient {
    /// Every check, in the order of the screen.
    pub fn examine(&self) -> Vec<Finding> {
        vec![
            place::programs(&self.console),
            kernel::seccomp(&self.root),
            kernel::landlock(),
            kernel::reader(&self.console),
            kernel::locked_memory(),
            kernel::secret_memory(),
            machine::network(&self.root, self.allow_network),
            machine::radios(&self.root, self.allow_network),
            machine::swap(&self.root),
            place::clock(&self.store, self.now),
            machine::memory(&self.root, self.kdf_kib),
            place::store(&self.store),
            camera::camera(&self.root),
        ]
    }
}

/// Names of what is in the way.
pub fn in_the_way(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().filter(|finding| finding.state == State::Bad).map(|finding| finding.name).collect()
}

/// Lines for a person: a table, and under it what to do.
pub fn text(findings: &[Finding]) -> String {
    let mark = |state| match state {
        State::Ok => "[x]",
        State::Note => "[-]",
        State::Bad => "[!]",
    };
    let rows: Vec<Vec<String>> = findings
        .iter()
        .map(|finding| vec![mark(finding.state).to_owned(), finding.name.to_owned(), finding.found.clone()])
        .collect();
    let mut text = table(&rows);
    for finding in findings {
        if let Some(fix) = &finding.fix {
            text.push_str(&format!("\n{} {}: {fix}", mark(finding.state), finding.name));
        }
    }
    text
}

/// `{"fit", "checks": [{"name", "state", "found", "fix"?}]}`.
pub fn to_json(findings: &[Finding]) -> Value {
    let checks: Value = findings
        .iter()
        .map(|finding| {
            let mut object =
                json!({"name": finding.name, "state": finding.state.word(), "found": finding.found});
            if let (Some(object), Some(fix)) = (object.as_object_mut(), &finding.fix) {
                object.insert("fix".to_owned(), json!(fix));
            }
            object
        })
        .collect();
    json!({"fit": in_the_way(findings).is_empty(), "checks": checks})
}

/// A small file of `/proc` or `/sys`, which are text of the kernel; `None` where it is not there.
fn kernel_file(path: &Path) -> Option<String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path).ok()?.take(1 << 20).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_way_is_named_with_its_remedy_and_a_note_is_not() {
        let findings = [
            Finding::ok("seccomp", "there"),
            Finding::note("secret memory", "absent", Some("boot otherwise")),
            Finding::bad("swap", "/dev/sda2", "swapoff -a"),
        ];
        assert_eq!(in_the_way(&findings), ["swap"]);
        let text = text(&findings);
        assert!(text.contains("[!]  swap") && text.ends_with("[!] swap: swapoff -a"), "{text}");
        let json = to_json(&findings);
        assert_eq!((&json["fit"], &json["checks"][2]["state"]), (&json!(false), &json!("bad")));
        assert!(json["checks"][0].get("fix").is_none());
    }
}
