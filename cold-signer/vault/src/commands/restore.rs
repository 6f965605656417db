//! `cold-vault restore`: a key from its backup words. A ceremony of this binary, never a message.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use bitcoin::Network;
use clap::Args;
use cold_wire::{KeyInfo, NewKey};
use policies::wallet::ScriptKind;
use zeroize::Zeroizing;

use super::{StoreArgs, json_text, say, terminal};
use crate::keys::{Entropy, WordCount};
use crate::passphrase::Passphrase;
use crate::service::{Open, Origin, add_key, key_info, unlock_at};
use crate::terminal::ask_words;
use crate::{Error, harden};

/// Longest file of words that is read, in bytes.
const MAX_WORDS_LEN: u64 = 4_096;

#[derive(Args)]
pub(super) struct Restore {
    #[command(flatten)]
    store: StoreArgs,
    /// Its name: the wallet's name in the policy.
    #[arg(long)]
    wallet: String,
    /// bitcoin (or mainnet), testnet, testnet4, signet, regtest.
    #[arg(long, default_value = "bitcoin", value_parser = network)]
    network: Network,
    /// What its account is for: pkh, sh-wpkh, wpkh, tr, sh-wsh-multi, wsh-multi or multi.
    #[arg(long, default_value = "wpkh", value_parser = script)]
    script: ScriptKind,
    /// Account level of the path (BIP44).
    #[arg(long, default_value_t = 0)]
    account: u32,
    /// How many words are on the paper.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u8).range(12..=24))]
    words: u8,
    /// Reads the words from a file: for drills and tests.
    #[arg(long)]
    words_file: Option<PathBuf>,
    /// Reads the passphrase from the first line of a file.
    #[arg(long, conflicts_with = "passphrase_fd")]
    passphrase_file: Option<PathBuf>,
    /// One JSON object.
    #[arg(long)]
    pub(super) json: bool,
}

impl Restore {
    pub(super) fn run(&self) -> Result<(), Error> {
        let keep: Vec<i32> = self.store.passphrase_fd.into_iter().collect();
        harden::begin(&keep)?;
        self.store.network()?;
        let mut terminal = terminal();
        let given = self.passphrase()?;
        let words_file = self
            .words_file
            .as_ref()
            .map(|path| File::open(path).map_err(|error| Error::Unreadable(path.clone(), error)))
            .transpose()?;
        let (mut store, known) = self.store.open_or_create(given, terminal.as_deref_mut())?;
        harden::confine()?;
        let entropy = match (words_file, terminal.as_deref_mut()) {
            (Some(file), _) => words_from(file)?,
            (None, Some(terminal)) => ask_words(terminal, self.count()?)?,
            (None, None) => return Err(Error::NoPassphrase),
        };
        let mut open = match (&known, terminal.as_deref_mut()) {
            (Some(passphrase), _) => Open::new(&mut store, passphrase)?,
            (None, Some(terminal)) => unlock_at(terminal, &mut store)?,
            (None, None) => return Err(Error::NoPassphrase),
        };
        let wanted = NewKey {
            wallet: self.wallet.clone(),
            network: self.network,
            kind: self.script,
            words: self.words,
            account: self.account,
            limit: None,
            dice: vec![],
        };
        let sequence =
            add_key(&mut store, &mut open, &wanted, &entropy, &Origin::Restored).map_err(Error::Fault)?;
        let key = open.key(sequence).ok_or(Error::NoSuchRecord(sequence))?;
        self.report(&key_info(&open, key).map_err(Error::Fault)?);
        Ok(())
    }

    fn passphrase(&self) -> Result<Option<Passphrase>, Error> {
        match &self.passphrase_file {
            Some(path) => {
                let file = File::open(path).map_err(|error| Error::Unreadable(path.clone(), error))?;
                Passphrase::from_descriptor(file).map(Some)
            }
            None => self.store.passphrase(),
        }
    }

    fn count(&self) -> Result<WordCount, Error> {
        match self.words {
            12 => Ok(WordCount::Twelve),
            24 => Ok(WordCount::TwentyFour),
            _ => Err(Error::Words("there must be 12 or 24 of them")),
        }
    }

    fn report(&self, key: &KeyInfo) {
        let fingerprint: String = key.fingerprint.iter().map(|byte| format!("{byte:02x}")).collect();
        let [external, internal] = key.descriptors.clone().map_or([None, None], |pair| pair.map(Some));
        let said = if self.json {
            let text = |text: Option<String>| text.map_or("null".to_owned(), |text| json_text(&text));
            format!(
                "{{\"wallet\":{},\"network\":\"{}\",\"fingerprint\":\"{fingerprint}\",\"key\":{},\"external\":{},\"internal\":{},\"restored\":true}}\n",
                json_text(&key.wallet),
                key.network,
                json_text(&key.key),
                text(external),
                text(internal)
            )
        } else {
            let obeys = match &key.authority {
                Some((_, company)) => company.clone(),
                None => "no authority: whoever holds these words may spend without a permit".to_owned(),
            };
            format!(
                "restored `{}` on {}, master key {fingerprint}\n  {}\n  {}\nit obeys {obeys}\n",
                key.wallet,
                key.network,
                external.as_ref().unwrap_or(&key.key),
                internal.unwrap_or_default()
            )
        };
        // The key is restored, whether or not anybody reads of it.
        let _ = say(&said);
    }
}

fn words_from(file: File) -> Result<Entropy, Error> {
    let mut text = Zeroizing::new(String::with_capacity(8_192));
    file.take(MAX_WORDS_LEN).read_to_string(&mut text).map_err(|_| Error::Words("they are not UTF-8"))?;
    Entropy::from_words(&text)
}

fn network(word: &str) -> Result<Network, String> {
    let word = if word == "mainnet" { "bitcoin" } else { word };
    word.parse().map_err(|_| format!("`{word}` is no network: bitcoin, testnet, testnet4, signet or regtest"))
}

fn script(word: &str) -> Result<ScriptKind, String> {
    let words = ScriptKind::ALL.map(ScriptKind::as_str).join(", ");
    ScriptKind::from_word(word).ok_or_else(|| format!("`{word}` is none of {words}"))
}
