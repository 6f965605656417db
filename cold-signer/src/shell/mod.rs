//! A session of several commands on one store: the command line's commands, typed after one another, with a vault that
//! is unlocked once.

mod completion;
mod lines;
mod words;

use crate::cli::{Global, grammar, run_line};
use crate::keeper::Keeper;
use crate::output::{print_error, show, warn};
use crate::terminal::{catch_interrupts, clear_interrupt, interrupted};
use crate::{Error, Result};
use completion::Completion;
use lines::{Lines, Script, Typed};
use psbt_tools::display::escape;
use std::collections::BTreeSet;
use std::io::IsTerminal;

/// What only the shell knows.
const BUILT_IN: [&str; 4] = ["exit", "help", "lock", "quit"];

/// Options that a line cannot give: they are those of the session.
const OF_THE_SESSION: [&str; 7] =
    ["store", "passphrase-file", "passphrase-fd", "allow-network", "kdf-floor", "help", "version"];

/// A session in its order, with what each step is for.
const SESSION: [(&str, &str, &str); 6] = [
    ("doctor", "doctor", "is this machine fit, and off the network?"),
    ("status", "status", "every control says `on`"),
    ("review", "review FILE", "what a file asks for; nothing is signed"),
    ("sign", "sign FILE", "every page against the invoice, then the code"),
    ("receipts", "receipts -o FILE", "for node and gatekeeper, with the signed files"),
    ("lock", "lock", "or `quit`: the passphrase is asked again"),
];

/// Fewest plain words in a row that could be the backup of a key.
const LEAST_MNEMONIC: usize = 11;

/// Runs a session; gives its exit code: 0 at a terminal, and that of the first failing line of a script.
///
/// # Errors
/// [`Error::Terminal`], [`Error::Usage`], and lines of a script that cannot be read.
pub fn run(global: &Global) -> Result<u8> {
    let visit = global.visit();
    let keeper = visit.keeper().cloned().unwrap_or_default();
    if !std::io::stdin().is_terminal() {
        if visit.passphrase_is_standard_input() {
            return Err(Error::Usage("standard input carries the lines: name another descriptor".to_owned()));
        }
        return Session::new(&visit, keeper).script(&mut Script);
    }
    catch_interrupts()?;
    let mut typed = Typed::new(Completion::new(keeper.clone()))?;
    let store = visit.store()?;
    let there = if store.exists() { "" } else { " (none yet: `start` makes one)" };
    show(&format!(
        "airlock, store {}{there}\nhelp shows a session · Tab completes · Ctrl-C clears the line · Ctrl-D ends",
        escape(&store.to_string_lossy())
    ));
    Session::new(&visit, keeper).converse(&mut typed)
}

/// Options of a command that a line of the shell may give.
fn visible_options(command: &clap::Command) -> impl Iterator<Item = &str> {
    command.get_arguments().filter_map(clap::Arg::get_long).filter(|long| !OF_THE_SESSION.contains(long))
}

struct Session<'a> {
    visit: &'a Global,
    keeper: Keeper,
    grammar: clap::Command,
    done: BTreeSet<String>,
}

/// What a line came to.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    /// To an exit code.
    To(u8),
    /// To the end of the session.
    End,
}

impl<'a> Session<'a> {
    fn new(visit: &'a Global, keeper: Keeper) -> Self {
        Self { visit, keeper, grammar: grammar(), done: BTreeSet::new() }
    }

    /// Until the person ends it; a failure ends only its command.
    fn converse(&mut self, lines: &mut dyn Lines) -> Result<u8> {
        while let Some(line) = lines.next(self.prompt())? {
            clear_interrupt();
            if self.is_harmless(&line) {
                lines.remember(&line);
            }
            match self.obey(&line) {
                Came::End => break,
                Came::To(_) if psbt_tools::is_told_to_end() => break,
                Came::To(_) if interrupted() => {
                    // It reached the vault as well, which is ending.
                    if self.keeper.lock() {
                        show("Ctrl-C: the vault is locked");
                    }
                }
                Came::To(_) => self.tell_remark(),
            }
        }
        if self.keeper.lock() {
            show("the vault is locked");
        }
        Ok(0)
    }

    /// Until a line fails.
    fn script(&mut self, lines: &mut dyn Lines) -> Result<u8> {
        let mut number = 0_u64;
        loop {
            number = number.saturating_add(1);
            let Some(line) = lines.next("")? else { return Ok(0) };
            match self.obey(&line) {
                Came::End => return Ok(0),
                Came::To(0) => self.tell_remark(),
                Came::To(exit) => {
                    warn(&format!("line {number} failed: nothing after it was done"));
                    return Ok(exit);
                }
            }
        }
    }

    fn prompt(&self) -> &'static str {
        if self.keeper.is_open() { "cold-signer> " } else { "cold-signer (locked)> " }
    }

    fn tell_remark(&self) {
        self.keeper.is_open();
        if let Some(remark) = self.keeper.remark() {
            warn(remark);
        }
    }

    fn obey(&mut self, line: &str) -> Came {
        self.tell_remark();
        let mut words = match words::split(line) {
            Ok(words) => words,
            Err(error) => return self.refuse(&error),
        };
        if words.first().is_some_and(|word| word == "cold-signer") {
            words.remove(0);
        }
        let Some(first) = words.first().cloned() else { return Came::To(0) };
        let exit = match (first.as_str(), words.get(1)) {
            ("quit" | "exit", None) => return Came::End,
            ("lock", None) => {
                show(if self.keeper.lock() { "the vault is locked" } else { "the vault was locked already" });
                0
            }
            ("help", None) => {
                show(&self.help());
                0
            }
            ("help", Some(name)) => match self.grammar.find_subcommand_mut(name) {
                Some(command) => {
                    show(command.render_long_help().to_string().trim_end());
                    0
                }
                None => return self.refuse(&self.unknown(name)),
            },
            (first, _) if first.starts_with('-') || self.grammar.find_subcommand(first).is_some() => {
                if reads_standard_input(&words) {
                    return self.refuse(&Error::Line("`-` is no file here: the lines are read from there"));
                }
                run_line(self.visit, &words)
            }
            (first, _) => return self.refuse(&self.unknown(first)),
        };
        if exit == 0 {
            self.done.insert(first);
        }
        Came::To(exit)
    }

    fn refuse(&self, error: &Error) -> Came {
        Came::To(print_error(error, self.visit.json))
    }

    /// What was typed is not repeated: it may be a passphrase that was meant for another prompt.
    fn unknown(&self, typed: &str) -> Error {
        let commands = self.grammar.get_subcommands().map(clap::Command::get_name).chain(BUILT_IN);
        let near = commands.map(|name| (distance(name, typed), name)).min();
        match near.filter(|(distance, _)| *distance <= 2) {
            Some((_, name)) => Error::NoCommand(Some(name.to_owned())),
            None => Error::NoCommand(None),
        }
    }

    /// The session as a checklist, and the other commands.
    fn help(&self) -> String {
        let mut text = String::from("A session, in this order:\n");
        for (name, typed, purpose) in SESSION {
            let mark = if self.done.contains(name) { 'x' } else { ' ' };
            text.push_str(&format!("  [{mark}] {typed:<17} {purpose}\n"));
        }
        let others = self.grammar.get_subcommands().map(clap::Command::get_name);
        let is_other = |name: &&str| {
            SESSION.iter().all(|(session, ..)| session != name) && !["help", "shell"].contains(name)
        };
        let others: Vec<&str> = others.filter(is_other).collect();
        text.push_str(&format!("\nOther commands: {}.\n", others.join(", ")));
        text.push_str("help COMMAND shows what it does. Lines are remembered in memory only.\n");
        text.push_str("Ctrl-C in a command ends that command and locks the vault.");
        text
    }

    /// Whether a line may be remembered: it begins with a command, and is not a row of words as on a backup paper.
    fn is_harmless(&self, line: &str) -> bool {
        let Ok(words) = words::split(line) else { return false };
        let first = words.iter().find(|word| *word != "cold-signer");
        let is_command = first.is_some_and(|first| {
            BUILT_IN.contains(&first.as_str()) || self.grammar.find_subcommand(first).is_some()
        });
        let plain = words.iter().filter(|word| word.chars().all(|c| c.is_ascii_alphabetic())).count();
        is_command && plain < LEAST_MNEMONIC
    }
}

/// Whether a word means standard input as a file; after an option it names where something goes.
fn reads_standard_input(words: &[String]) -> bool {
    words.windows(2).any(|pair| matches!(pair, [before, dash] if dash == "-" && !before.starts_with('-')))
}

/// Letters to change, add or take away to make one word of the other (Levenshtein); long words are far from all.
fn distance(name: &str, typed: &str) -> usize {
    if typed.len() > 20 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=typed.chars().count()).collect();
    for (above, a) in name.chars().enumerate() {
        let mut next = vec![above + 1];
        for ((b, diagonal), over) in typed.chars().zip(&row).zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or_default();
            next.push((diagonal + usize::from(a != b)).min(over + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_are_near_and_other_words_are_far() {
        assert_eq!((distance("keys", "keys"), distance("keys", "kyes"), distance("sign", "sing")), (0, 2, 2));
        assert_eq!((distance("review", "reveiw"), distance("", "abc")), (2, 3));
        assert!(distance("sign", "correct horse battery") > 100);
    }

    #[test]
    fn a_dash_is_a_file_only_where_no_option_precedes_it() {
        let reads = |line: &str| reads_standard_input(&words::split(line).unwrap());
        assert!(reads("sign -") && reads("review - --json"));
        assert!(!reads("receipts -o -") && !reads("keys"));
    }

    #[test]
    fn nothing_that_may_be_a_secret_is_remembered() {
        use clap::{Args, FromArgMatches};
        let matches = Global::augment_args(clap::Command::new("x")).get_matches_from(["x"]);
        let global = Global::from_arg_matches(&matches).unwrap();
        let session = Session::new(&global, Keeper::default());
        for kept in ["keys", "sign 'a b.psbt' -o c", "cold-signer status", "help sign", "quit"] {
            assert!(session.is_harmless(kept), "{kept}");
        }
        let words = "sign review trust address doctor start shell abandon ability able about above";
        for dropped in ["correct horse", "hunter2", words, "", "sign 'open", "x keys"] {
            assert!(!session.is_harmless(dropped), "{dropped}");
        }
    }
}
