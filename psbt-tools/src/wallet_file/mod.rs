//! Wallet descriptions: read whoever wrote them, and written for other programs. The format is recognised by content,
//! and what comes out are descriptors (BIP380). Nothing here says whose keys they are: who registers a wallet decides.

pub mod bip388;
pub mod bsms;
pub mod coldcard;
mod core;
mod descriptor;
mod electrum;
mod export;
mod json;
mod key;
mod slip132;
mod sparrow;
mod specter;
mod target;

pub use target::{Target, write};

use crate::Error;
use bitcoin::{Network, NetworkKind};
use policies::check::Check;
use policies::wallet::{Wallet, holds_private_key};
use std::fmt;

/// Longest file that is read, in bytes.
pub const MAX_LEN: usize = 1 << 20;

/// Longest name of a wallet that is read, in bytes.
pub const MAX_NAME_LEN: usize = 200;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Descriptors as text (BIP380), one a line; what Liana and Sparrow ("Output Descriptor") write.
    Descriptor,
    /// The JSON of `cold-signer export` and of `psbt-tools wallet`.
    Export,
    /// A wallet policy (BIP388) as JSON.
    Policy,
    /// A BSMS 1.0 descriptor record (BIP129, round 2).
    Bsms,
    /// What Bitcoin Core's `listdescriptors` prints.
    Core,
    /// The JSON of Specter and Fully Noded.
    Specter,
    /// Sparrow's JSON.
    Sparrow,
    /// An unencrypted Electrum wallet.
    Electrum,
    /// Coldcard's text file for multisig.
    Coldcard,
}

impl Format {
    /// Its word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Format::Descriptor => "descriptor",
            Format::Export => "export",
            Format::Policy => "bip388",
            Format::Bsms => "bsms",
            Format::Core => "core",
            Format::Specter => "specter",
            Format::Sparrow => "sparrow",
            Format::Electrum => "electrum",
            Format::Coldcard => "coldcard",
        }
    }

    /// What people call it.
    pub const fn title(self) -> &'static str {
        match self {
            Format::Descriptor => "descriptor text",
            Format::Export => "Airlock export",
            Format::Policy => "wallet policy (BIP388)",
            Format::Bsms => "BSMS descriptor record (BIP129)",
            Format::Core => "Bitcoin Core's listdescriptors",
            Format::Specter => "Specter wallet",
            Format::Sparrow => "Sparrow wallet",
            Format::Electrum => "Electrum wallet",
            Format::Coldcard => "Coldcard multisig file",
        }
    }
}

/// A wallet as a file describes it. The descriptors are well formed and hold public keys only; whether they are a wallet,
/// [`WalletFile::wallet`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletFile {
    /// What the file is.
    pub format: Format,
    /// The name it gives the wallet: foreign text.
    pub name: Option<String>,
    /// The network it names. Extended keys tell mainnet from test networks only: [`WalletFile::network_kind`].
    pub network: Option<Network>,
    /// One multipath descriptor (BIP389), or those for `/0/*` and `/1/*`, each with its checksum.
    pub descriptors: Vec<String>,
    /// What was converted or completed, for the person who registers it.
    pub notes: Vec<String>,
}

/// Reads a wallet description.
///
/// # Errors
/// [`Error::Malformed`] names the format that was recognised, what is wrong and what to do; a private key is never
/// repeated. Check C27 above [`MAX_LEN`].
pub fn read(bytes: &[u8]) -> Result<WalletFile, Error> {
    read_with_token(bytes, None)
}

/// The same, with the token that decrypts a BSMS record (BIP129).
///
/// # Errors
/// Those of [`read`].
pub fn read_with_token(bytes: &[u8], token: Option<&bsms::Token>) -> Result<WalletFile, Error> {
    if bytes.len() > MAX_LEN {
        return Err(Error::refused(
            Check::BOUNDS,
            format!(
                "{} bytes are more than the {MAX_LEN} that are read as a wallet description",
                bytes.len()
            ),
        ));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| unknown("the file is no text"))?;
    let text = text.trim();
    if text.is_empty() {
        return Err(unknown("the file is empty"));
    }
    refuse_private(text)?;
    if let Some(record) = bsms::decrypted(text, token)? {
        refuse_private(&record)?;
        return finish(Format::Bsms, bsms::read(&record));
    }
    if let Some(format) = json::format(text)? {
        return finish(format.0, format.1);
    }
    let (format, found) = match () {
        () if bsms::is_record(text) => (Format::Bsms, bsms::read(text)),
        () if coldcard::is_file(text) => (Format::Coldcard, coldcard::read(text)),
        () if descriptor::is_text(text) => (Format::Descriptor, descriptor::read(text)),
        () => return Err(unknown(descriptor::what_else(text))),
    };
    finish(format, found)
}

impl WalletFile {
    /// The wallet on a network.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the file is of another network, or its descriptors are no wallet. Check C09 when a key
    /// stands twice where each must be another one.
    pub fn wallet(&self, network: Network) -> Result<Wallet, Error> {
        let title = self.format.title();
        if let Some(named) = self.network.filter(|named| *named != network) {
            return Err(Error::malformed(
                format!("{title}: it is of {named}, and the wallet is to be of {network}"),
                "name the file's network, or give another file",
            ));
        }
        Wallet::new(network, &self.descriptors).map_err(|error| {
            let error = Error::from(error);
            if matches!(error, Error::Refused { .. }) {
                return error;
            }
            Error::malformed(format!("{title}: {error}"), error.hint().unwrap_or_default())
        })
    }

    /// What the extended keys say of the network; `None` without any.
    pub fn network_kind(&self) -> Option<NetworkKind> {
        let text = self.descriptors.first()?;
        match () {
            () if text.contains("xpub") => Some(NetworkKind::Main),
            () if text.contains("tpub") => Some(NetworkKind::Test),
            () => None,
        }
    }
}

/// What a format's reader finds.
#[derive(Debug, Default)]
struct Found {
    name: Option<String>,
    network: Option<Network>,
    descriptors: Vec<String>,
    notes: Vec<String>,
}

/// Why a recognised file is not read.
#[derive(Debug)]
struct Fault {
    reason: String,
    hint: String,
}

impl Fault {
    fn new(reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { reason: reason.into(), hint: hint.into() }
    }

    /// With the hint that fits a file which its own program would not have written.
    fn broken(reason: impl fmt::Display) -> Self {
        Self::new(reason.to_string(), "let the program that wrote the file export the wallet again")
    }
}

fn finish(format: Format, found: Result<Found, Fault>) -> Result<WalletFile, Error> {
    let fault = |fault: Fault| Error::malformed(format!("{}: {}", format.title(), fault.reason), fault.hint);
    let found = found.map_err(fault)?;
    if let Some(len) = found.name.as_ref().map(String::len).filter(|len| *len > MAX_NAME_LEN) {
        let reason = format!("the name has {len} bytes, at most {MAX_NAME_LEN} are read");
        return Err(fault(Fault::new(reason, "give the wallet a shorter name")));
    }
    let descriptors = found.descriptors.iter().map(|text| descriptor::canonical(text));
    Ok(WalletFile {
        format,
        name: found.name.filter(|name| !name.is_empty()),
        network: found.network,
        descriptors: descriptors.collect::<Result<_, _>>().map_err(fault)?,
        notes: found.notes,
    })
}

fn refuse_private(text: &str) -> Result<(), Error> {
    if holds_private_key(text) { Err(private()) } else { Ok(()) }
}

/// The refusal of everything that holds a secret.
fn private() -> Error {
    Error::malformed(
        "the file holds a private key or a seed: nothing of it is used or shown",
        "export the wallet as watching-only; whoever had this file can spend",
    )
}

fn unknown(found: impl Into<String>) -> Error {
    Error::malformed(
        found,
        "give a descriptor, a BIP388 policy, a BSMS record, or the export of Sparrow, Specter, Electrum, Coldcard or Core",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(bytes: &[u8]) -> String {
        let error = read(bytes).unwrap_err();
        assert_eq!(error.exit_code(), 3);
        assert!(error.hint().is_some_and(|hint| !hint.is_empty()) || error.code() == "C27");
        error.to_string()
    }

    #[test]
    fn what_is_no_wallet_is_named() {
        for (bytes, why) in [
            (&b"\xff\xfe"[..], "no text"),
            (b"  \n", "empty"),
            (b"hello", "no wallet description"),
            (b"{\"a\": 1}", "JSON"),
            (b"{\"a\": 1, \"a\": 2}", "twice"),
            (b"{\"a\": ", "JSON"),
            (b"cHNidP8BAAoCAAAAAAAAAAAAAA==", "PSBT"),
            (b"QklFMQNI/quQo9N7RtbygK+yhlrMNxkSnXtl", "encrypted"),
            (b"abandon abandon abandon abandon about", "no wallet description"),
        ] {
            let message = refusal(bytes);
            assert!(message.contains(why), "{message}");
            assert!(!message.contains("abandon"));
        }
        assert!(refusal(&vec![b' '; MAX_LEN + 1]).contains("more than"));
    }

    #[test]
    fn secrets_are_refused_and_never_repeated() {
        for text in [
            "wpkh(tprv8ZgxMBicQKsPd7Uf69XL1XwhmjHopUGep8GuEiJDZmbQz6o58LninorQAfcKZWARbtRtfnLcJ5MQ2AtHcQJCCRUcMRvmDUjyEmNUWwx8UbK/<0;1>/*)",
            "{\"wallet_type\": \"standard\", \"keystore\": {\"seed\": \"wild father tree\"}}",
            "{\"descriptor\": \"pkh(L4rK1yDtCWekvXuE6oXD9jCYfFNV2cWRpVuPLBcCU2z8TrisoyY1)\"}",
            "Name: x\nFormat: P2WSH\n0F056943: zprvAWgYBBk7JR8Gjrh4UJQ2uJdG1r3WNRRfURiABBE3RvMXYSrRJL62XuezvGdPvG6GFBZduosCc1YP5wixPox7zhZLfiUm8aunE96BBa4Kei5",
        ] {
            let message = refusal(text.as_bytes());
            assert!(message.contains("private key or a seed"), "{message}");
            assert!(!message.contains("prv") && !message.contains("wild"), "{message}");
        }
    }
}
