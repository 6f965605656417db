//! The order of things: vault and reader are up before the file is opened; wallets come from the vault, the spend
//! from the reader, the review from the vault, consent from the operator, signatures from the vault.

use crate::reader::{Descriptors, Open, Reader, Reading};
use crate::vault::{Keys, Launch, Vault, now};
use crate::{Error, Result};
use bitcoin::hashes::{Hash, sha256};
use cold_wire::{Review, Signed};
use policies::check::{Check, Finding, Outcome, verdict};
use policies::id::SpendId;
use psbt_tools::display::escape;
use psbt_tools::files;
use psbt_tools::manifest::Manifest;
use std::path::{Path, PathBuf};

/// A vault for one or several files.
#[derive(Debug)]
pub struct Session {
    vault: Vault,
    console: PathBuf,
    keys: Option<Keys>,
    live_network: Vec<String>,
    allow_network: bool,
}

/// A file that was read, with its reader, which is still alive.
#[derive(Debug)]
pub struct Document {
    reader: Reader,
    reading: Reading,
    name: String,
}

/// What a signed payment is carried back as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The whole file with signatures and receipt.
    Whole,
    /// Signatures and receipts only: for QR codes, and for who has the file already.
    Reply,
}

impl Session {
    /// Starts the vault.
    ///
    /// # Errors
    /// Those of [`Vault::spawn`].
    pub fn start(console: PathBuf, launch: &Launch) -> Result<Self> {
        let vault = Vault::spawn(launch)?;
        Ok(Self { vault, console, keys: None, live_network: vec![], allow_network: launch.allow_network })
    }

    /// Unlocks the vault before the first file.
    ///
    /// # Errors
    /// What the vault says.
    pub fn unlock(&mut self) -> Result<()> {
        self.keys().map(|_| ())
    }

    /// Starts a reader, reads the file once, unlocks the vault, and hands wallets and document to the reader.
    ///
    /// # Errors
    /// Files that cannot be read, documents that are no PSBT, and what the vault says.
    pub fn open(&mut self, path: &Path) -> Result<Document> {
        let reader = Reader::spawn(&self.console)?;
        let document = files::read(path, files::DEFAULT_LIMIT)?;
        self.hand_over(reader, document, escape(&path.to_string_lossy()))
    }

    /// As [`Self::open`], with bytes that came another way, under a name for the screen.
    ///
    /// # Errors
    /// Those of [`Self::open`] but about files.
    pub fn take(&mut self, document: Vec<u8>, name: String) -> Result<Document> {
        let reader = Reader::spawn(&self.console)?;
        self.hand_over(reader, document, name)
    }

    fn hand_over(&mut self, mut reader: Reader, document: Vec<u8>, name: String) -> Result<Document> {
        let sha256 = sha256::Hash::hash(&document).to_byte_array();
        let wallets = self
            .keys()?
            .keys
            .iter()
            .filter_map(|key| {
                let [external, internal] = key.descriptors.clone()?;
                Some(Descriptors { network: key.network, external, internal })
            })
            .collect();
        let reading = reader.open(Open { document, wallets, now: now() })?;
        if reading.sha256 != sha256 {
            return Err(Error::ReaderNonsense("it read other bytes than it was given".to_owned()));
        }
        Ok(Document { reader, reading, name })
    }

    /// What signing would come to, with the vault's and the reader's findings.
    ///
    /// # Errors
    /// [`Error::Refused`] when the reader understood no spend, and what the vault says.
    pub fn review(&mut self, document: &Document) -> Result<Review> {
        let Some(bundle) = document.reading.bundle.clone() else {
            return Err(Error::Refused(document.reading.findings.clone()));
        };
        let spend = bundle.spend.id();
        let mut review = self.vault.review(bundle)?;
        if review.spend != spend {
            return Err(Error::VaultNonsense(format!("it reviewed spend {}, not {spend}", review.spend)));
        }
        review.findings = merged(review.findings, &document.reading.findings);
        Ok(review)
    }

    /// Signs, and gives the document with signatures and receipt, or a reply to it. The reader ends.
    ///
    /// # Errors
    /// What the vault says, and what the reader says of the vault's signatures.
    pub fn sign(
        &mut self,
        document: Document,
        consent: SpendId,
        accepted: Vec<Check>,
        answer: Answer,
    ) -> Result<(Signed, Vec<u8>)> {
        let Document { reader, reading, .. } = document;
        let Some(bundle) = reading.bundle else { return Err(Error::Refused(reading.findings)) };
        let signed = self.vault.sign(bundle, consent, accepted)?;
        let receipt = policies::codec::Canonical::to_bytes(&signed.receipt);
        let file = match answer {
            Answer::Whole => reader.attach(signed.signatures.clone(), receipt)?,
            Answer::Reply => reader.reply(signed.signatures.clone(), receipt)?,
        };
        Ok((signed, file))
    }

    /// Interfaces that are up, when the vault was told to run all the same.
    pub fn live_network(&self) -> &[String] {
        &self.live_network
    }

    fn keys(&mut self) -> Result<&Keys> {
        if self.keys.is_none() {
            let keys = self.vault.keys()?;
            if self.allow_network {
                self.live_network = self.vault.status()?.live_network;
            }
            return Ok(self.keys.insert(keys));
        }
        self.keys.as_ref().ok_or(Error::VaultEnded)
    }
}

impl Document {
    /// The file's name, escaped.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the file says of itself: a claim.
    pub fn manifest(&self) -> Option<&Manifest> {
        self.reading.manifest.as_ref()
    }

    /// SHA-256 of the bytes that were read.
    pub fn sha256(&self) -> [u8; 32] {
        self.reading.sha256
    }

    /// Refuses what the reader refuses, before the vault is asked.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn acceptable(&self) -> Result<()> {
        if self.reading.bundle.is_none() || verdict(&self.reading.findings) == Outcome::Refuse {
            return Err(Error::Refused(self.reading.findings.clone()));
        }
        Ok(())
    }
}

/// The vault's findings, those of the reader about which the vault says nothing, and every refusal of either.
fn merged(vault: Vec<Finding>, reader: &[Finding]) -> Vec<Finding> {
    let spoken: Vec<_> = vault
        .iter()
        .filter(|found| found.outcome != Outcome::NotApplicable)
        .map(|found| found.code)
        .collect();
    let added: Vec<_> = reader
        .iter()
        .filter(|found| found.outcome == Outcome::Refuse || !spoken.contains(&found.code))
        .cloned()
        .collect();
    let mut findings: Vec<_> =
        vault.into_iter().filter(|found| !silent(found, &added)).chain(added.iter().cloned()).collect();
    findings.sort_by_key(|found| found.code);
    findings
}

/// Whether an n/a is replaced by another finding of the same check.
fn silent(finding: &Finding, added: &[Finding]) -> bool {
    finding.outcome == Outcome::NotApplicable && added.iter().any(|other| other.code == finding.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vault_is_believed_where_it_speaks_and_the_reader_adds_the_rest() {
        let vault = vec![
            Finding::pass(Check::FEE, "vault"),
            Finding::not_applicable(Check::LOCKTIME, "vault"),
            Finding::ask(Check::UNUSUAL_OUTPUT, "vault"),
        ];
        let reader = [
            Finding::ask(Check::FEE, "reader"),
            Finding::refuse(Check::UNUSUAL_OUTPUT, "reader"),
            Finding::ask(Check::LOCKTIME, "reader"),
            Finding::pass(Check::STRICT_PSBT, "reader"),
        ];
        let found: Vec<_> = merged(vault, &reader)
            .into_iter()
            .map(|finding| format!("{} {} {}", finding.code, finding.outcome.as_str(), finding.message))
            .collect();
        assert_eq!(
            found,
            ["C16 pass vault", "C19 ask vault", "C19 refuse reader", "C20 ask reader", "C21 pass reader"]
        );
    }
}
