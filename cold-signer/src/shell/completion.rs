//! What the Tab key offers: commands, their options, the words an option takes, wallets, and files.

use super::words::{quote, scan};
use super::{BUILT_IN, visible_options};
use crate::cli::grammar;
use crate::keeper::Keeper;
use policies::codec::deceives;
use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};
use std::path::{MAIN_SEPARATOR, Path};

/// Most entries of a folder that are looked at.
const MAX_ENTRIES: usize = 2_000;

/// Options whose value is a file or a folder, by the name of their value.
const FILE_VALUES: [&str; 5] = ["FILE", "F", "OUT", "DIR", "FILE|DIR"];

/// The helper of the line editor.
pub struct Completion {
    grammar: clap::Command,
    keeper: Keeper,
}

impl Completion {
    /// Completion that knows the wallets which this keeper has learnt.
    pub fn new(keeper: Keeper) -> Self {
        Self { grammar: grammar(), keeper }
    }

    /// Where the word begins that is completed, and what it may become.
    fn offers(&self, line: &str) -> (usize, Vec<Pair>) {
        let Ok(mut words) = scan(line) else { return (line.len(), vec![]) };
        let is_new = line.ends_with([' ', '\t']) && !words.last().is_some_and(|word| word.open);
        let (start, current) = match words.pop_if(|_| !is_new) {
            Some(word) => (word.start, word.text),
            None => (line.len(), String::new()),
        };
        if words.first().is_some_and(|word| word.text == "cold-signer") {
            words.remove(0);
        }
        let Some(first) = words.first() else { return (start, self.commands(&current)) };
        if first.text == "help" {
            return (start, self.commands(&current));
        }
        let Some(command) = self.grammar.find_subcommand(&first.text) else { return (start, vec![]) };
        let before = words.last().filter(|_| words.len() > 1).map(|word| word.text.as_str());
        let option = before.and_then(|word| command.get_arguments().find(|option| is_named(option, word)));
        let offers = match option.filter(|option| option.get_action().takes_values()) {
            Some(option) => self.values(option, &current),
            None if current.starts_with('-') => options(command, &current),
            None if command.get_positionals().next().is_some() => files(&current),
            None => options(command, &current),
        };
        (start, offers)
    }

    fn commands(&self, current: &str) -> Vec<Pair> {
        let commands = self.grammar.get_subcommands().map(clap::Command::get_name);
        let mut names: Vec<&str> = commands.filter(|name| *name != "shell").chain(BUILT_IN).collect();
        names.sort_unstable();
        names.dedup();
        beginning(names.into_iter(), current)
    }

    fn values(&self, option: &clap::Arg, current: &str) -> Vec<Pair> {
        let possible = option.get_possible_values();
        if !possible.is_empty() {
            return beginning(possible.iter().map(clap::builder::PossibleValue::get_name), current);
        }
        match option.get_id().as_str() {
            "wallet" => {
                let wallets = self.keeper.wallets();
                let shown = wallets.iter().map(String::as_str).filter(|name| !name.chars().any(deceives));
                beginning(shown, current)
            }
            "network" => {
                let networks = ["bitcoin", "regtest", "signet", "testnet", "testnet4"];
                beginning(networks.into_iter(), current)
            }
            _ => {
                let names = option.get_value_names().unwrap_or_default();
                let is_file = names.iter().any(|name| FILE_VALUES.contains(&name.as_str()));
                if is_file { files(current) } else { vec![] }
            }
        }
    }
}

fn is_named(option: &clap::Arg, word: &str) -> bool {
    match word.strip_prefix("--") {
        Some(long) => option.get_long() == Some(long),
        None => option.get_short().is_some_and(|short| word == format!("-{short}")),
    }
}

fn options(command: &clap::Command, current: &str) -> Vec<Pair> {
    let names: Vec<String> = visible_options(command).map(|long| format!("--{long}")).collect();
    beginning(names.iter().map(String::as_str), current)
}

fn beginning<'a>(names: impl Iterator<Item = &'a str>, current: &str) -> Vec<Pair> {
    names
        .filter(|name| name.starts_with(current))
        .map(|name| Pair { display: name.to_owned(), replacement: format!("{} ", quote(name)) })
        .collect()
}

/// Files whose names begin so. A stick's names are foreign: one that could deceive a terminal is not offered.
fn files(current: &str) -> Vec<Pair> {
    let (folder, name) = match current.rfind(MAIN_SEPARATOR) {
        Some(at) => current.split_at(at + MAIN_SEPARATOR.len_utf8()),
        None => ("", current),
    };
    let place = if folder.is_empty() { Path::new(".") } else { Path::new(folder) };
    let Ok(entries) = place.read_dir() else { return vec![] };
    let mut found: Vec<(String, bool)> = entries
        .take(MAX_ENTRIES)
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let found = entry.file_name().into_string().ok()?;
            let is_wanted = found.starts_with(name) && (!found.starts_with('.') || name.starts_with('.'));
            (is_wanted && !found.chars().any(deceives)).then(|| (found, entry.path().is_dir()))
        })
        .collect();
    found.sort();
    found
        .into_iter()
        .map(|(name, is_folder)| {
            // A name that looks like an option must not become one.
            let here = if folder.is_empty() && name.starts_with('-') { "./" } else { folder };
            let end = if is_folder { "/" } else { "" };
            let typed = quote(&format!("{here}{name}{end}"));
            let replacement = match is_folder {
                // Open, so that the next name can follow.
                true => typed.strip_suffix('"').map_or(typed.clone(), str::to_owned),
                false => format!("{typed} "),
            };
            Pair { display: format!("{name}{end}"), replacement }
        })
        .collect()
}

impl Completer for Completion {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        Ok(self.offers(line.get(..pos).unwrap_or_default()))
    }
}

impl Hinter for Completion {
    type Hint = String;
}

impl Highlighter for Completion {}

impl Validator for Completion {}

impl Helper for Completion {}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(line: &str) -> Vec<String> {
        let keeper = Keeper::default();
        keeper.learn(vec!["main".into(), "my savings".into(), "bad\u{1b}[2J".into()]);
        let (_, offers) = Completion::new(keeper).offers(line);
        offers.into_iter().map(|offer| offer.replacement).collect()
    }

    #[test]
    fn commands_options_words_and_wallets_are_offered_in_their_places() {
        assert_eq!(offered("rev"), ["review "]);
        assert!(offered("").contains(&"lock ".to_owned()) && !offered("").contains(&"shell ".to_owned()));
        assert_eq!(offered("cold-signer ke"), ["keys "]);
        assert_eq!(offered("help stat"), ["status "]);
        assert_eq!(offered("address --wallet m"), ["main ", "\"my savings\" "]);
        assert_eq!(offered("address --wallet \"my s"), ["\"my savings\" "]);
        assert_eq!(offered("new-key --network reg"), ["regtest "]);
        assert_eq!(offered("new-key --script t"), ["tr "]);
        assert_eq!(offered("address --wallet main --sc"), ["--scan "]);
        assert_eq!(offered("keys --j"), ["--json "]);
        assert_eq!(offered("keys --st"), [""; 0], "the store is the visit's");
        assert_eq!(offered("nonsense a"), [""; 0]);
    }

    #[test]
    fn files_are_offered_quoted_and_never_as_options_or_deceptions() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a b.psbt", "c.psbt", "bad\u{202e}.psbt", ".hidden", "--consent"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        std::fs::create_dir(folder.path().join("sub dir")).unwrap();
        let base = folder.path().to_str().unwrap();
        let offers = offered(&format!("sign {base}/"));
        assert_eq!(
            offers,
            [
                format!("{base}/--consent "),
                format!("\"{base}/a b.psbt\" "),
                format!("{base}/c.psbt "),
                format!("\"{base}/sub dir/"),
            ]
        );
        assert_eq!(offered(&format!("sign -o {base}/c")), [format!("{base}/c.psbt ")]);
        assert_eq!(offered(&format!("sign \"{base}/a")), [format!("\"{base}/a b.psbt\" ")]);
    }
}
