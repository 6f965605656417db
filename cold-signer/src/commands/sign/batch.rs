//! Several files in one visit: all are looked at, a sheet of totals is shown, then each is signed or skipped.

use super::files::{LeftOut, Task};
use super::sign;
use crate::consent::{self, Given};
use crate::output::{Output, print_error};
use crate::screens::{Totals, paginate};
use crate::session::Session;
use crate::terminal::Person;
use crate::{Error, Result};
use policies::check::{Outcome, verdict};
use policies::id::SpendId;
use psbt_tools::display::escape;
use psbt_tools::files::require_free;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// What came of the files so far.
#[derive(Default)]
struct Outcomes {
    /// A line and an object for each file, by its place on the command line.
    files: BTreeMap<usize, (String, Value)>,
    worst: Option<Error>,
}

/// A file that can be signed.
struct Ready {
    place: usize,
    task: Task,
    spend: SpendId,
}

/// Signs what is consented to. A failure stops none of the others; the gravest decides.
pub fn run(
    session: Option<&mut Session>,
    tasks: Vec<Task>,
    left_out: Vec<LeftOut>,
    given: &Given,
    person: Option<&mut dyn Person>,
) -> Output {
    let mut outcomes = Outcomes::default();
    let mut totals = Totals::default();
    let mut spends = Vec::new();
    if let Some(session) = session {
        let mut ready = Vec::new();
        for (place, task) in tasks.into_iter().enumerate() {
            match look(session, &task, &mut totals) {
                Ok(spend) => ready.push(Ready { place, task, spend }),
                Err(error) => outcomes.failed(place, &task.file, error),
            }
        }
        spends.extend(ready.iter().map(|ready| ready.spend));
        sign_each(session, ready, &totals, given, person, &mut outcomes);
    }
    let unclaimed: Vec<SpendId> = given.spends.iter().filter(|id| !spends.contains(id)).copied().collect();
    if !unclaimed.is_empty() {
        outcomes.note(Error::Unclaimed(unclaimed));
    }
    let (mut text, files): (Vec<_>, Vec<_>) = outcomes.files.into_values().unzip();
    text.extend(left_out.iter().map(|left| format!("left out {}: {}", name(&left.file), left.reason)));
    if files.is_empty() {
        text.push("there is nothing to sign".to_owned());
    }
    let left_out: Value =
        left_out.iter().map(|left| json!({"file": name(&left.file), "reason": left.reason})).collect();
    let json = json!({"files": files, "left_out": left_out, "totals": totals.to_json()});
    Output { text: text.join("\n"), json, error: outcomes.worst }
}

/// What signing a file would come to; what cannot be signed is not asked about later.
fn look(session: &mut Session, task: &Task, totals: &mut Totals) -> Result<SpendId> {
    require_free(&task.out)?;
    let document = session.open(&task.file)?;
    document.acceptable()?;
    let review = session.review(&document)?;
    if verdict(&review.findings) == Outcome::Refuse {
        return Err(Error::Refused(review.findings));
    }
    totals.add(&review);
    Ok(review.spend)
}

/// Each file is read and reviewed again when its turn comes: what was signed meanwhile counts against its limits.
fn sign_each(
    session: &mut Session,
    ready: Vec<Ready>,
    totals: &Totals,
    given: &Given,
    mut person: Option<&mut dyn Person>,
    outcomes: &mut Outcomes,
) {
    let mut stopped = false;
    if let (Some(person), false) = (person.as_deref_mut(), ready.is_empty()) {
        let head = totals.head(outcomes.files.len(), session.live_network());
        let pages = paginate(&head, &totals.lines(), person.size());
        stopped = consent::leaf(person, &pages).is_err();
    }
    let count = ready.len();
    for (at, Ready { place, task, spend }) in ready.into_iter().enumerate() {
        let turn = match person.as_deref_mut() {
            _ if !given.spends.is_empty() => {
                if given.spends.contains(&spend) {
                    Ok(())
                } else {
                    Err(Error::NoConsent(spend))
                }
            }
            _ if stopped => Err(Error::Stopped("before this file")),
            Some(person) => {
                let turn = choose(person, &format!("{} of {count}, {}", at + 1, name(&task.file)));
                stopped = matches!(turn, Err(Error::Stopped(_)));
                turn
            }
            None => Ok(()),
        };
        let person = person.as_mut().map(|person| &mut **person as &mut dyn Person);
        match turn.and_then(|()| sign(session, &task, given, person)) {
            Ok(done) => drop(outcomes.files.insert(place, done)),
            Err(error) => outcomes.failed(place, &task.file, error),
        }
    }
}

fn choose(person: &mut dyn Person, which: &str) -> Result<()> {
    let answer = person.ask(&format!("{which}: Enter to see it, s to skip it, q to stop:"))?;
    match answer.as_deref() {
        Some("") => Ok(()),
        Some("s" | "S") => Err(Error::Skipped),
        Some(_) | None => Err(Error::Stopped("before this file")),
    }
}

impl Outcomes {
    fn failed(&mut self, place: usize, file: &Path, error: Error) {
        let file = name(file);
        let line = format!("not signed {file}: {error}");
        self.files.insert(place, (line, json!({"file": file, "error": error.to_json()})));
        self.note(Error::OfFile { file, error: Box::new(error) });
    }

    /// The worst is told at the end, each of the others here.
    fn note(&mut self, error: Error) {
        let other = match self.worst.take() {
            Some(before) if before.exit_code() >= error.exit_code() => {
                self.worst = Some(before);
                Some(error)
            }
            before => {
                self.worst = Some(error);
                before
            }
        };
        if let Some(other) = other {
            print_error(&other, false);
        }
    }
}

fn name(path: &Path) -> String {
    escape(&path.to_string_lossy())
}
