//! The drill: the words on paper are restored into a second store by the vault's own ceremony, and the wallet that comes
//! out must be the one that was made. The second store is deleted again.

use super::progress::beside;
use super::standing::Standing;
use super::{Went, announce, tell};
use crate::cli::{Global, vault_program};
use crate::terminal::Person;
use crate::vault::now;
use crate::{Error, Result};
use cold_wire::KeyInfo;
use psbt_tools::display::escape;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

/// Longest answer of the ceremony, in bytes.
const MAX_LEN: u64 = 64 << 10;

/// Goes through the drill.
pub fn drill(person: &mut dyn Person, visit: &Global, standing: &Standing, key: &KeyInfo) -> Result<Went> {
    let store = beside(&standing.store, "drill");
    let shown = escape(&store.to_string_lossy());
    let left = if store.symlink_metadata().is_ok() {
        "The store of a drill that was interrupted is still there. It is deleted first.\n"
    } else {
        ""
    };
    let text = format!(
        "DRILL: only words that were typed back are a backup.\nThe vault restores the words from your paper into a \
second store, {shown}. Its wallet is compared with this one, and the second store is deleted.\n{left}It wants a \
passphrase for that store; any will do, it lives for minutes."
    );
    if announce(person, &text)? == Went::Later {
        return Ok(Went::Later);
    }
    let words = match person.ask("How many words are on the paper? 24 or 12, Enter for 24:")?.as_deref() {
        Some("" | "24") => "24",
        Some("12") => "12",
        Some(_) | None => return Err(Error::Stopped("before the drill")),
    };
    let unlinked = Leftover(&store);
    unlinked.delete()?;
    let restored = restore(visit, key, &store, words);
    unlinked.delete()?;
    let Restored { exit, key: found } = restored?;
    if exit != 0 {
        return Ok(Went::Wrong(exit));
    }
    if found.as_deref() != Some(&key.key) {
        return Err(Error::Differs("these words are another key's: the paper is no backup of this wallet"));
    }
    standing.progress.clone().note("drill", json!(now()))?;
    tell(person, &format!("The paper is a backup of this wallet. {shown} is deleted."))?;
    Ok(Went::Done)
}

/// A second store that is deleted whatever happens.
struct Leftover<'a>(&'a Path);

impl Leftover<'_> {
    fn delete(&self) -> Result<()> {
        match std::fs::remove_file(self.0) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::Input { name: escape(&self.0.to_string_lossy()), source })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

impl Drop for Leftover<'_> {
    fn drop(&mut self) {
        let _ = self.delete();
    }
}

/// What the ceremony gave.
struct Restored {
    exit: u8,
    key: Option<String>,
}

/// Runs `cold-vault restore` at its own terminal; only its public answer comes here.
fn restore(visit: &Global, key: &KeyInfo, store: &Path, words: &str) -> Result<Restored> {
    let program = vault_program()?;
    let mut arguments: Vec<OsString> = vec!["restore".into(), "--store".into(), store.into()];
    let (network, account) = (key.network.to_string(), account(&key.key));
    let options =
        [("--wallet", key.wallet.as_str()), ("--network", &network), ("--script", key.kind.as_str())];
    for (option, value) in options.into_iter().chain([("--account", account.as_str()), ("--words", words)]) {
        // Joined, so that a name which begins with a dash stays a name.
        arguments.push(format!("{option}={value}").into());
    }
    arguments.push("--json".into());
    arguments.extend(visit.ceremony_arguments());
    let failed = |source| Error::Start { program: program.clone(), source };
    let mut child = Command::new(&program).args(arguments).stdout(Stdio::piped()).spawn().map_err(failed)?;
    let mut answer = Vec::new();
    if let Some(from) = child.stdout.take() {
        from.take(MAX_LEN).read_to_end(&mut answer).map_err(failed)?;
    }
    let exit = child.wait().map_err(failed)?.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
    let text = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
    Ok(Restored { exit, key: text("key") })
}

/// `5` of `[d34db33f/84'/0'/5']xpub…`: the account level of the key's origin (BIP44).
fn account(key: &str) -> String {
    let third = key.split(']').next().and_then(|origin| origin.split('/').nth(3));
    let digits: String = third.unwrap_or_default().chars().take_while(char::is_ascii_digit).collect();
    if digits.is_empty() { "0".to_owned() } else { digits }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_is_the_third_level_of_the_origin() {
        assert_eq!(account("[d34db33f/84'/0'/5']xpub"), "5");
        assert_eq!(account("[d34db33f/48'/0'/12'/2']xpub"), "12");
        assert_eq!(account("xpub"), "0");
    }
}
