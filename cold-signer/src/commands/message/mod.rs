//! Messages: `sign-message` and `sign-reserves`. Shown whole, then consented to, then signed.

pub mod reserves;
pub mod text;

use crate::cli::Global;
use crate::output::warn;
use crate::reader::Descriptors;
use crate::terminal::{Person, Terminal};
use crate::vault::Vault;
use crate::{Error, Result, consent};
use bitcoin::absolute::LockTime;
use bitcoin::{Network, Sequence};
use cold_wire::KeyInfo;
use policies::id::MessageId;
use policies::message::bip322::Locks;
use psbt_tools::display::escape;

/// Timelocks, for wallets of which no path is open without.
#[derive(Debug, Clone, clap::Args)]
pub struct LockArgs {
    /// nLockTime of the message's virtual transaction, for a wallet that cannot sign without (BIP322).
    #[arg(long, value_name = "N")]
    lock_time: Option<u32>,
    /// nSequence of its inputs, for a wallet that cannot sign without.
    #[arg(long, value_name = "N")]
    sequence: Option<u32>,
}

impl LockArgs {
    /// What was given; `None` without either.
    fn locks(&self) -> Option<Locks> {
        (self.lock_time.is_some() || self.sequence.is_some()).then(|| Locks {
            lock_time: LockTime::from_consensus(self.lock_time.unwrap_or_default()),
            sequence: Sequence::from_consensus(self.sequence.unwrap_or_default()),
        })
    }
}

/// Whether somebody has seen what is signed.
enum Seen {
    /// At the terminal, all of it.
    Shown,
    /// By a script, or nobody on a test network.
    Named,
}

/// Takes consent to everything that is shown.
///
/// # Errors
/// [`Error::OtherMessage`], [`Error::UnsignedMessage`] where nobody can be asked on mainnet, [`Error::Stopped`].
fn agreed(
    person: Option<&mut dyn Person>,
    network: Network,
    ids: &[MessageId],
    given: &[MessageId],
    head: &[String],
    lines: &[String],
) -> Result<Seen> {
    if !given.is_empty() {
        let unnamed = ids.iter().find(|id| !given.contains(id));
        let other = || given.iter().any(|id| !ids.contains(id)).then(|| ids.first()).flatten();
        return unnamed
            .or_else(other)
            .map_or(Ok(Seen::Named), |found| Err(Error::OtherMessage { found: *found }));
    }
    match (person, network) {
        (Some(person), _) => {
            consent::agree(head, lines, "to sign it", person)?;
            Ok(Seen::Shown)
        }
        (None, Network::Bitcoin) => Err(Error::UnsignedMessage(ids.to_vec())),
        (None, _) => {
            warn("nobody looked at this message: signed without a question on a test network");
            Ok(Seen::Named)
        }
    }
}

/// Interfaces that are up, when the vault was told to run all the same.
fn live_network(global: &Global, vault: &mut Vault) -> Result<Vec<String>> {
    if global.allows_network() { Ok(vault.status()?.live_network) } else { Ok(vec![]) }
}

/// A wallet as the reader takes it.
fn descriptors(key: &KeyInfo) -> Result<Descriptors> {
    let [external, internal] =
        key.descriptors.clone().ok_or_else(|| Error::NoWalletYet(key.wallet.clone()))?;
    Ok(Descriptors { network: key.network, external, internal })
}

/// Whoever sits at the terminal, unless a script consents.
fn terminal(given: &[MessageId]) -> Option<Terminal> {
    if given.is_empty() { Terminal::open() } else { None }
}

fn person(terminal: &mut Option<Terminal>) -> Option<&mut dyn Person> {
    terminal.as_mut().map(|terminal| terminal as &mut dyn Person)
}

/// Who has to sign yet, in a line.
fn missing_text(keys: &[String]) -> String {
    let keys: Vec<String> = keys.iter().map(|key| escape(key)).collect();
    format!("not enough signatures yet; these keys can still sign: {}", keys.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screens::Size;

    /// Types what the screen asks for, or always the same.
    struct Actor {
        typed: Option<&'static str>,
        seen: String,
    }

    impl Person for Actor {
        fn size(&self) -> Size {
            Size { rows: 12, columns: 60 }
        }

        fn show(&mut self, text: &str) -> Result<()> {
            self.seen.push_str(text);
            Ok(())
        }

        fn ask(&mut self, prompt: &str) -> Result<Option<String>> {
            let code = prompt.strip_prefix("Type ").map(|rest| rest[..6].to_owned());
            Ok(Some(self.typed.map_or_else(|| code.unwrap_or_default(), str::to_owned)))
        }
    }

    fn ask(person: Option<&mut dyn Person>, network: Network, given: &[MessageId]) -> Result<Seen> {
        let ids = [1, 2].map(|n| MessageId::from_bytes([n; 32]));
        let lines: Vec<String> = (0..30).map(|n| format!("line {n} of it")).collect();
        agreed(person, network, &ids, given, &["head".to_owned()], &lines)
    }

    #[test]
    fn every_part_is_named_or_seen_whole_and_on_mainnet_nothing_is_signed_otherwise() {
        let id = |n| MessageId::from_bytes([n; 32]);
        assert!(matches!(ask(None, Network::Bitcoin, &[id(2), id(1)]), Ok(Seen::Named)));
        for wrong in [&[id(1)][..], &[id(1), id(2), id(3)], &[id(3)]] {
            let error = ask(None, Network::Regtest, wrong).err().unwrap();
            assert_eq!((error.code().as_str(), error.exit_code()), ("other-message", 3));
        }
        let error = ask(None, Network::Bitcoin, &[]).err().unwrap();
        assert_eq!((error.code().as_str(), error.exit_code()), ("no-consent", 4));
        assert!(error.hint().contains(&format!("--consent {} --consent {}", id(1), id(2))));
        assert!(matches!(ask(None, Network::Signet, &[]), Ok(Seen::Named)));
        let mut actor = Actor { typed: None, seen: String::new() };
        assert!(matches!(ask(Some(&mut actor), Network::Bitcoin, &[]), Ok(Seen::Shown)));
        assert!((0..30).all(|n| actor.seen.contains(&format!("line {n} of it"))));
        for typed in ["q", "yes"] {
            let mut actor = Actor { typed: Some(typed), seen: String::new() };
            let error = ask(Some(&mut actor), Network::Regtest, &[]).err().unwrap();
            assert_eq!(error.code(), "stopped");
        }
    }
}
