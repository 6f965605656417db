//! The operator's yes: after the last page, a random code is typed back, so that a stick that is also a keyboard
//! cannot give it. For scripts, the whole id of the spend.

use crate::screens::{Shown, authority_lines, pages, paginate};
use crate::terminal::Person;
use crate::{Error, Result};
use policies::authority::Authority;
use policies::check::{Check, Code, Finding, Outcome, verdict};
use policies::id::SpendId;
use psbt_tools::display::escape;
use std::fmt::Write as _;

/// Letters and digits that are not mistaken for one another: 32, so that each is as likely as the others.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// Characters of the code: 30 bits.
const CODE_LEN: usize = 6;

/// What the command line says.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// `--consent`, each time.
    pub spends: Vec<SpendId>,
    /// `--accept`.
    pub accepted: Vec<Check>,
}

/// Obtains consent for what is shown; gives the checks that were accepted.
///
/// # Errors
/// [`Error::Refused`] where something refuses, [`Error::OtherSpend`], [`Error::NotAccepted`], [`Error::NoConsent`]
/// without a person, [`Error::Stopped`] where the person stops.
pub fn obtain(shown: &Shown<'_>, given: &Given, person: Option<&mut dyn Person>) -> Result<Vec<Check>> {
    let review = shown.review;
    if verdict(&review.findings) == Outcome::Refuse {
        return Err(Error::Refused(review.findings.clone()));
    }
    let questions = questions(&review.findings);
    match (given.spends.as_slice(), person) {
        ([named, ..], _) if !given.spends.contains(&review.spend) => {
            Err(Error::OtherSpend { reviewed: review.spend, named: *named })
        }
        ([_, ..], _) => {
            let open: Vec<Check> =
                questions.into_iter().filter(|check| !given.accepted.contains(check)).collect();
            if open.is_empty() { Ok(given.accepted.clone()) } else { Err(Error::NotAccepted(open)) }
        }
        ([], None) => Err(Error::NoConsent(review.spend)),
        ([], Some(person)) => {
            converse(shown, &questions, person, &code()?)?;
            Ok(questions)
        }
    }
}

fn converse(shown: &Shown<'_>, questions: &[Check], person: &mut dyn Person, code: &str) -> Result<()> {
    let pages = pages(shown, person.size());
    leaf(person, &pages)?;
    for check in questions {
        let mut prompt = String::new();
        for finding in shown.review.findings.iter().filter(|finding| asks(finding) == Some(*check)) {
            // Writing to a string does not fail.
            let _ = writeln!(prompt, "{} asks: {}", check, escape(&finding.message));
        }
        let _ = write!(prompt, "Type {check} if that is what you want:");
        if !types(person, &prompt, &check.to_string())? {
            return Err(Error::Stopped("a question was not accepted"));
        }
    }
    copy(person, "to sign", code)
}

/// Shows an authority whole, and lets the person copy a code before it is pinned.
///
/// # Errors
/// [`Error::Stopped`] where the person stops, [`Error::Terminal`].
pub fn confirm(authority: &Authority, person: &mut dyn Person) -> Result<()> {
    converse_pinning(authority, person, &code()?)
}

fn converse_pinning(authority: &Authority, person: &mut dyn Person, code: &str) -> Result<()> {
    let head = [
        "airlock · an authority to be pinned".to_owned(),
        "Every key made from now on obeys it: this cannot be undone.".to_owned(),
    ];
    let pages = paginate(&head, &authority_lines(authority), person.size());
    leaf(person, &pages)?;
    copy(person, "to pin it", code)
}

/// Shows lines under a head, page by page, and lets the person copy a code.
///
/// # Errors
/// [`Error::Stopped`] where the person stops, [`Error::Terminal`].
pub fn agree(head: &[String], lines: &[String], purpose: &str, person: &mut dyn Person) -> Result<()> {
    let pages = paginate(head, lines, person.size());
    leaf(person, &pages)?;
    copy(person, purpose, &code()?)
}

/// Shows each page; the person goes from one to the next.
pub(crate) fn leaf(person: &mut dyn Person, pages: &[String]) -> Result<()> {
    let last = pages.len().saturating_sub(1);
    for (at, page) in pages.iter().enumerate() {
        person.show(page)?;
        if at < last {
            let answer = person.ask("Enter for the next page, q to stop:")?;
            if answer.is_none_or(|answer| !answer.is_empty()) {
                return Err(Error::Stopped("before the last page"));
            }
        }
    }
    Ok(())
}

/// The last step: a code is copied from the screen.
fn copy(person: &mut dyn Person, purpose: &str, code: &str) -> Result<()> {
    if types(person, &format!("Type {code} {purpose}, anything else to stop:"), code)? {
        Ok(())
    } else {
        Err(Error::Stopped("the code was not typed"))
    }
}

fn types(person: &mut dyn Person, prompt: &str, expected: &str) -> Result<bool> {
    Ok(person.ask(prompt)?.is_some_and(|typed| typed.eq_ignore_ascii_case(expected)))
}

/// Checks that ask, each once. A rule of the policy never asks.
fn questions(findings: &[Finding]) -> Vec<Check> {
    let mut checks: Vec<Check> = findings.iter().filter_map(asks).collect();
    checks.sort_unstable();
    checks.dedup();
    checks
}

fn asks(finding: &Finding) -> Option<Check> {
    match (finding.outcome, finding.code) {
        (Outcome::Ask, Code::Check(check)) => Some(check),
        (Outcome::Ask, Code::Rule(_)) | (Outcome::Refuse | Outcome::Pass | Outcome::NotApplicable, _) => None,
    }
}

/// A code nobody can foresee.
fn code() -> Result<String> {
    let mut bytes = [0u8; CODE_LEN];
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|errno| Error::Terminal(errno.into()))?;
    if filled != CODE_LEN {
        return Err(Error::Terminal(std::io::Error::from(std::io::ErrorKind::UnexpectedEof)));
    }
    Ok(bytes
        .iter()
        .filter_map(|byte| ALPHABET.get(usize::from(byte % 32)))
        .map(|byte| char::from(*byte))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screens::Size;
    use crate::screens::tests::permitted;
    use cold_wire::Review;

    /// Answers from a list, and remembers what was shown.
    struct Actor {
        answers: Vec<&'static str>,
        seen: Vec<String>,
    }

    impl Person for Actor {
        fn size(&self) -> Size {
            Size { rows: 16, columns: 64 }
        }

        fn show(&mut self, text: &str) -> Result<()> {
            self.seen.push(text.to_owned());
            Ok(())
        }

        fn ask(&mut self, prompt: &str) -> Result<Option<String>> {
            self.seen.push(prompt.to_owned());
            Ok((!self.answers.is_empty()).then(|| self.answers.remove(0).to_owned()))
        }
    }

    fn asking() -> Review {
        let mut review = permitted();
        review.findings.push(Finding::ask(Check::UNUSUAL_OUTPUT, "an OP_RETURN"));
        review.findings.push(Finding::ask(Check::UNUSUAL_OUTPUT, "another one"));
        review.findings.push(Finding::ask(Check::LOCKTIME, "later"));
        review
    }

    fn shown(review: &Review) -> Shown<'_> {
        Shown { file: "f", manifest: None, sha256: [0; 32], review, live_network: &[] }
    }

    fn play(answers: &[&'static str]) -> (Result<()>, Vec<String>) {
        let review = asking();
        let questions = questions(&review.findings);
        let mut actor = Actor { answers: answers.to_vec(), seen: vec![] };
        let result = converse(&shown(&review), &questions, &mut actor, "K7QX2M");
        (result, actor.seen)
    }

    /// The pages of the review, one Enter between two of them.
    fn turns() -> usize {
        pages(&shown(&asking()), Size { rows: 16, columns: 64 }).len() - 1
    }

    #[test]
    fn the_code_is_shown_after_the_last_page_and_the_last_question_only() {
        let mut answers = vec![""; turns()];
        answers.extend(["c19", "C20", "k7qx2m"]);
        let (result, seen) = play(&answers);
        result.unwrap();
        let at: Vec<usize> = (0..seen.len()).filter(|at| seen[*at].contains("K7QX2M")).collect();
        assert_eq!(at, [seen.len() - 1]);
        assert!(seen[seen.len() - 3].contains("an OP_RETURN\nC19 asks: another one"));
    }

    #[test]
    fn stopping_at_any_screen_stops() {
        let mut honest = vec![""; turns()];
        honest.extend(["C19", "C20", "K7QX2M"]);
        for at in 0..honest.len() {
            let mut answers = honest.clone();
            answers[at] = "q";
            let stopped = play(&answers).0.unwrap_err();
            assert_eq!((stopped.code().as_str(), stopped.exit_code()), ("stopped", 4), "at {at}");
            let ended = play(&honest[..at]).0.unwrap_err();
            assert_eq!(ended.code(), "stopped", "end of input at {at}");
        }
        play(&honest).0.unwrap();
    }

    #[test]
    fn scripts_consent_by_the_whole_id_and_by_each_question() {
        let review = asking();
        let given = |spend: Option<SpendId>, accepted: &[Check]| {
            let given = Given { spends: spend.into_iter().collect(), accepted: accepted.to_vec() };
            obtain(&shown(&review), &given, None)
                .map_err(|error| (error.code(), error.exit_code(), error.to_string()))
        };
        let both = [Check::UNUSUAL_OUTPUT, Check::LOCKTIME];
        assert_eq!(given(Some(review.spend), &both).unwrap(), both);
        let (code, exit, message) = given(Some(SpendId::from_bytes([0; 32])), &both).unwrap_err();
        assert_eq!((code.as_str(), exit), ("other-spend", 3));
        assert!(message.contains(&"a1".repeat(32)) && message.contains(&"00".repeat(32)));
        let (code, exit, message) = given(Some(review.spend), &[Check::LOCKTIME]).unwrap_err();
        assert_eq!((code.as_str(), exit, message.as_str()), ("not-accepted", 4, "not accepted: C19"));
        assert_eq!(given(None, &both).unwrap_err().1, 4);
    }

    #[test]
    fn nobody_can_consent_to_what_is_refused() {
        let mut review = asking();
        review.findings.push(Finding::refuse(Check::CHANGE, "not ours"));
        let given = Given { spends: vec![review.spend], accepted: vec![Check::CHANGE] };
        assert_eq!(obtain(&shown(&review), &given, None).unwrap_err().code(), "C06");
    }

    #[test]
    fn an_authority_is_shown_whole_and_its_company_does_not_pin_it() {
        let authority = crate::screens::authority::tests::authority();
        let play = |answers: Vec<&'static str>| {
            let mut actor = Actor { answers, seen: vec![] };
            (converse_pinning(&authority, &mut actor, "K7QX2M"), actor.seen)
        };
        let size = Size { rows: 16, columns: 64 };
        let turns = paginate(&[String::new(), String::new()], &authority_lines(&authority), size).len() - 1;
        let answers = |last| [vec![""; turns], vec![last]].concat();
        let (result, seen) = play(answers("k7qx2m"));
        result.unwrap();
        let at: Vec<usize> = (0..seen.len()).filter(|at| seen[*at].contains("K7QX2M")).collect();
        assert_eq!(at, [seen.len() - 1]);
        for wrong in ["Two Friends GmbH", "yes", ""] {
            assert_eq!(play(answers(wrong)).0.unwrap_err().code(), "stopped");
        }
        assert_eq!(play(vec![]).0.unwrap_err().code(), "stopped");
    }

    #[test]
    fn codes_are_six_clear_characters_and_differ() {
        let codes: std::collections::BTreeSet<String> = (0..50).map(|_| code().unwrap()).collect();
        assert_eq!(codes.len(), 50);
        assert!(codes.iter().all(|code| code.len() == 6 && !code.contains(['0', 'O', '1', 'I'])));
    }
}
