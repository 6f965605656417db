//! Key, export, first address, test spend: what is typed by hand otherwise.

use super::standing::Standing;
use super::{Went, announce, tell};
use crate::cli::{Global, run_line};
use crate::commands::address::Book;
use crate::commands::start::Args;
use crate::terminal::Person;
use crate::vault::now;
use crate::{Error, Result};
use clap::ValueEnum;
use cold_wire::KeyInfo;
use policies::wallet::{Branch, Keypath};
use psbt_tools::display::{address_text, escape, hex};
use serde_json::json;
use std::path::Path;

/// Makes the key, at the vault's own terminal.
pub fn make_key(person: &mut dyn Person, visit: &Global, args: &Args, standing: &Standing) -> Result<Went> {
    let script = args.script.to_possible_value().map(|value| value.get_name().to_owned());
    let words = args.words.to_string();
    let mut line = vec!["new-key", "--wallet", &standing.wallet, "--network", &args.network];
    line.extend(["--words", &words, "--script", script.as_deref().unwrap_or("wpkh")]);
    let limit = match &args.limit {
        Some(limit) => {
            line.extend(["--limit", limit]);
            format!("at most {} without a second thought", escape(limit))
        }
        None => "no limit of its own: `start --limit 0.5btc/24h` gives it one, for ever".to_owned(),
    };
    let store = if standing.store_is_there {
        "The store is there already: the vault asks for its passphrase, the one that was set before."
    } else {
        "A new store is made: the vault asks twice for a new passphrase. Nobody can reset it."
    };
    let what = match args.script.kind().is_single() {
        true => "",
        false => ", a cosigner's key: its wallet is registered once all cosigners have theirs",
    };
    let text = format!(
        "KEY: {} on {}{what}, {words} words, {limit}.\n{store}\nThen it shows the words, once, and asks some of them back. \
Have paper and a pen, and nobody behind you.\n$ cold-signer {}",
        escape(&standing.wallet),
        escape(&args.network),
        escape(&line.join(" "))
    );
    match announce(person, &text)? {
        Went::Done => Ok(outcome(run_line(visit, &owned(&line)))),
        other => Ok(other),
    }
}

/// Writes the public parts to a file.
pub fn export(person: &mut dyn Person, visit: &Global, standing: &Standing, key: &KeyInfo) -> Result<Went> {
    tell(
        person,
        "EXPORT: the public parts of the wallet go to the online node. They cannot spend, but they show every \
payment: they are nobody else's business.\nThey go in a file on a stick, or as QR codes before the node's camera.",
    )?;
    write(person, visit, standing, key, &Sheet { step: "export", format: "json", extension: "json" })
}

/// A file that a step writes.
pub(super) struct Sheet {
    /// Under which word its path is noted.
    pub step: &'static str,
    /// Of `export --format`.
    pub format: &'static str,
    /// What its name ends in, unless another name is typed.
    pub extension: &'static str,
}

/// Asks where to, lets `export` write the file, and notes its path; or lets it be shown, and notes what was shown.
pub(super) fn write(
    person: &mut dyn Person,
    visit: &Global,
    standing: &Standing,
    key: &KeyInfo,
    sheet: &Sheet,
) -> Result<Went> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let name = if key.wallet.chars().all(is_plain) { key.wallet.as_str() } else { "wallet" };
    // Files of several cosigners meet in one folder.
    let whose = if key.kind.is_single() { String::new() } else { format!("-{}", hex(&key.fingerprint)) };
    let name = format!("{name}{whose}.{}", sheet.extension);
    let question = format!("File, Enter for {name}, qr to show it, s to put it off, q to stop:");
    let path = loop {
        match person.ask(&question)?.as_deref() {
            Some("") => break name,
            Some("qr" | "QR") => match show(person, visit, standing, key, sheet)? {
                Some(went) => return Ok(went),
                None => continue,
            },
            Some("s" | "S") => return Ok(Went::Later),
            Some("q" | "Q" | "no" | "n") | None => return Err(Error::Stopped("before the export")),
            Some(path) => break path.to_owned(),
        }
    };
    let absolute = std::path::absolute(&path).unwrap_or_else(|_| path.clone().into());
    let file = absolute.to_string_lossy();
    let words = ["export", "--wallet", &key.wallet, "--format", sheet.format, "-o", &file];
    let exit = run_line(visit, &owned(&words));
    if exit != 0 {
        return Ok(Went::Wrong(exit));
    }
    standing.progress.clone().note(sheet.step, json!(file))?;
    Ok(Went::Done)
}

/// Lets `export` show it as QR codes; `None` when that did not do.
fn show(
    person: &mut dyn Person,
    visit: &Global,
    standing: &Standing,
    key: &KeyInfo,
    sheet: &Sheet,
) -> Result<Option<Went>> {
    tell(
        person,
        "On the node: psbt-tools qr scan --camera -o FILE. The codes stand here until you press q; six words are under them.",
    )?;
    let words = ["export", "--wallet", &key.wallet, "--format", sheet.format, "--qr"];
    if run_line(visit, &owned(&words)) != 0 {
        person.show("It was not shown: write a file instead.")?;
        return Ok(None);
    }
    match person
        .ask("Type same if the node shows these six words, s to put it off, Enter to begin again:")?
        .as_deref()
    {
        Some("same") => {
            standing.progress.clone().note(sheet.step, json!({"shown": standing.sha256_of(sheet.step)}))?;
            Ok(Some(Went::Done))
        }
        Some("s" | "S") => Ok(Some(Went::Later)),
        Some(_) => Ok(None),
        None => Err(Error::Stopped("before the export")),
    }
}

/// Compares the first address: the node's last group is typed before ours is shown, so that it is really read there.
pub fn compare_address(person: &mut dyn Person, standing: &Standing, key: &KeyInfo) -> Result<Went> {
    let address = Book::new(key)?.address(Keypath { branch: Branch::External, index: 0 })?;
    let (start, end) = parted(&address);
    let text = format!(
        "FIRST ADDRESS. On the online node:\n$ watch-node wallet import {wallet} --file FILE\n\
{others}$ watch-node address {wallet}\nThis laptop derives\n  {} ____\nRead the rest on the node's screen.",
        address_text(start),
        others = if key.kind.is_single() { "" } else { "(once for each cosigner's export)\n" },
        wallet = escape(&key.wallet)
    );
    tell(person, &text)?;
    let prompt = "The last 4 characters there, s to put it off, q to stop:";
    let typed = match person.ask(prompt)?.as_deref().map(|typed| typed.replace(' ', "")).as_deref() {
        Some("s" | "S") => return Ok(Went::Later),
        Some("" | "q" | "Q" | "n" | "no") | None => {
            return Err(Error::Stopped("before the address was compared"));
        }
        Some(typed) => typed.to_owned(),
    };
    // Base58 tells small letters from large ones, bech32 does not.
    let same = if address.starts_with(['1', '2', '3', 'm', 'n']) {
        typed == end
    } else {
        typed.eq_ignore_ascii_case(end)
    };
    if !same {
        return Err(Error::Differs("the node shows another first address than this laptop derives"));
    }
    tell(
        person,
        &format!(
            "The last group agrees. Four characters can be imitated; compare them all:\n  {}",
            address_text(&address)
        ),
    )?;
    match person.ask("Type same if every group is the same there:")?.as_deref() {
        Some("same") => {
            standing.progress.clone().note("address", json!(now()))?;
            Ok(Went::Done)
        }
        Some(_) | None => Err(Error::Stopped("before the address was compared")),
    }
}

/// Everything but the last four characters, and those.
fn parted(address: &str) -> (&str, &str) {
    address.split_at_checked(address.len().saturating_sub(4)).unwrap_or((address, ""))
}

/// Lets a small payment be made on the node, and signs it.
pub fn spend(person: &mut dyn Person, visit: &Global, key: &KeyInfo) -> Result<Went> {
    let permit = match &key.authority {
        Some((_, company)) => {
            format!("Carry it the way of {}: request, approvals, permit.\n", escape(company))
        }
        None => String::new(),
    };
    let text = format!(
        "TEST SPEND, before any large deposit.\nOn the online node:\n$ watch-node sync\n$ watch-node address {wallet}\n\
Send a small sum there, wait for a block, sync again, then pay a part of it to an address of your own elsewhere:\n\
$ watch-node pay {wallet} --to ADDRESS=0.0001btc -o test.psbt\n{permit}Bring the file here on a stick.",
        wallet = escape(&key.wallet)
    );
    tell(person, &text)?;
    loop {
        let answer = person.ask("Path of the file, s to put it off, q to stop:")?;
        let path = match answer.as_deref() {
            Some("s" | "S") => return Ok(Went::Later),
            Some("" | "q" | "Q" | "n" | "no") | None => {
                return Err(Error::Stopped("before the test spend"));
            }
            Some(path) => path.to_owned(),
        };
        if !Path::new(&path).is_file() {
            person.show("There is no such file. Is the stick mounted? `ls` in another terminal helps.")?;
            continue;
        }
        if run_line(visit, &owned(&["sign", "--", &path])) == 0 {
            return tell(person, &carried(key)).map(|()| Went::Done);
        }
        if crate::terminal::interrupted() {
            return Err(Error::Stopped("Ctrl-C"));
        }
        person.show("Nothing is lost: name another file, or this one again.")?;
    }
}

/// What comes after the signature.
fn carried(key: &KeyInfo) -> String {
    let node = match key.kind.is_single() {
        true => "Carry the signed file to the node:\n$ watch-node submit FILE\n",
        false => {
            "Carry the signed file to the node, which says who is missing, or to the next cosigner, who signs it \
as well:\n$ watch-node submit FILE\n"
        }
    };
    format!(
        "{node}and after a block, with receipts from here (`cold-signer receipts -o receipts.json`):\n\
$ watch-node sync\n$ watch-node reconcile --receipts receipts.json\nIt must say `clean`."
    )
}

pub(super) fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn outcome(exit: u8) -> Went {
    if exit == 0 { Went::Done } else { Went::Wrong(exit) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_four_characters_are_asked_for() {
        assert_eq!(parted("bcrt1qabcdef"), ("bcrt1qab", "cdef"));
        assert_eq!(parted("abc"), ("", "abc"));
    }
}
