//! One line for each tree: what it is, what is done to it, how it must end.

use crate::ground::{Act, Ground, Outcome, PSBT, SECRET, act, patience};
use bitcoin::hashes::{Hash, sha256};
use std::time::Instant;

/// The table, and what was found.
#[derive(Default)]
pub struct Table {
    pub cases: usize,
    pub skipped: Vec<String>,
    pub wrong: Vec<String>,
    pub escapes: usize,
    pub overwrites: usize,
}

/// A tree may need what this machine or user does not have.
pub trait Built {
    fn reason(self) -> Option<&'static str>;
}

impl Built for () {
    fn reason(self) -> Option<&'static str> {
        None
    }
}

impl Built for Result<(), &'static str> {
    fn reason(self) -> Option<&'static str> {
        self.err()
    }
}

impl Table {
    pub fn case<B: Built>(
        &mut self,
        what: impl Into<String>,
        expected: &str,
        todo: Act<'_>,
        build: impl FnOnce(&Ground) -> B,
    ) {
        let (what, ground) = (what.into(), Ground::new());
        if let Some(reason) = build(&ground).reason() {
            self.skipped.push(format!("{what}: {reason}"));
            return;
        }
        let before = ground.files();
        let begun = Instant::now();
        let outcome = act(&ground.stick(), &todo, &patience(10.0));
        let took = begun.elapsed();
        let after = ground.files();
        self.overwrites += before.iter().filter(|(path, content)| after.get(*path) != Some(content)).count();
        // What is new is what was written, whole, and its sidecar.
        for (path, content) in after.iter().filter(|(path, _)| !before.contains_key(*path)) {
            let is_sidecar = path.extension().is_some_and(|ending| ending == "sha256");
            if outcome.word != "written" || !(is_sidecar || content == PSBT) {
                self.wrong.push(format!("{what}: {} was left behind", path.display()));
            }
        }
        self.judge(what, expected, outcome);
        assert!(took.as_secs() < 60, "{took:?}");
    }

    /// A case that was acted out elsewhere.
    pub fn judge(&mut self, what: impl Into<String>, expected: &str, outcome: Outcome) {
        self.cases += 1;
        let secret = sha256::Hash::hash(SECRET).to_byte_array();
        let holds = |part: &[u8]| outcome.got.windows(part.len()).any(|window| window == part);
        self.escapes += usize::from(holds(SECRET) || holds(&secret) || holds(b"root:"));
        if outcome.word != expected {
            self.wrong.push(format!("{}: {} instead of {expected}", what.into(), outcome.word));
        }
    }

    pub fn skip(&mut self, what: &str, why: impl std::fmt::Display) {
        self.skipped.push(format!("{what}: {why}"));
    }

    pub fn end(self, least: usize) {
        for skipped in &self.skipped {
            eprintln!("skipped: {skipped}");
        }
        eprintln!(
            "hostile sticks: {}, escapes: {}, overwrites: {}",
            self.cases, self.escapes, self.overwrites
        );
        assert!(self.wrong.is_empty(), "{} of {}:\n{}", self.wrong.len(), self.cases, self.wrong.join("\n"));
        assert_eq!((self.escapes, self.overwrites), (0, 0));
        assert!(self.cases + self.skipped.len() >= least, "{} cases", self.cases);
    }
}
