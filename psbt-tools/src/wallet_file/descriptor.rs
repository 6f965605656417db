//! Descriptors as text.

use super::{Fault, Found};
use miniscript::{Descriptor, DescriptorPublicKey};
use policies::wallet::require_strict;

/// Kinds that are known and not supported, so that they are named.
const UNSUPPORTED: [&str; 7] = ["musig", "sortedmulti_a", "combo", "rawtr", "raw", "addr", "multi_b"];

/// Whether a text begins like a descriptor, comments aside.
pub(super) fn is_text(text: &str) -> bool {
    let first = lines(text).next().unwrap_or_default();
    let name = first.split('(').next().unwrap_or_default();
    first.contains('(')
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_lowercase() || "_:".contains(c))
}

/// One multipath descriptor, or a pair, one a line. Sparrow writes both, one after the other: they must be the same.
pub(super) fn read(text: &str) -> Result<Found, Fault> {
    let mut found = lines(text).take(4).map(canonical).collect::<Result<Vec<_>, _>>()?;
    if let [whole, pair @ ..] = found.as_slice()
        && pair.len() == 2
        && branches(whole)? != pair
    {
        return Err(Fault::broken("its three descriptors are not one wallet"));
    }
    if found.len() == 3 {
        found.truncate(1);
    }
    match found.len() {
        1 | 2 => Ok(Found { descriptors: found, ..Found::default() }),
        _ => Err(Fault::new(
            "there are more than two descriptors",
            "give one descriptor with <0;1>, or the pair for /0/* and /1/*, one a line",
        )),
    }
}

/// A descriptor as it is written here, with checksum; one that comes with a checksum must fit it.
pub(super) fn canonical(text: &str) -> Result<String, Fault> {
    parse(text).map(|descriptor| descriptor.to_string())
}

/// A descriptor that is strictly one.
pub(super) fn parse(text: &str) -> Result<Descriptor<DescriptorPublicKey>, Fault> {
    let hint = "copy the descriptor whole, with its checksum after #";
    let body = require_strict(text).map_err(|error| Fault::new(error.to_string(), hint))?;
    if let Some(name) = names(body).find(|name| UNSUPPORTED.contains(name)) {
        return Err(Fault::new(
            format!("{name}() is not supported"),
            "use pkh, wpkh, sh, wsh or tr with multi, sortedmulti, multi_a or miniscript",
        ));
    }
    if let Some(prefix) = super::slip132::prefix_in(body) {
        return Err(Fault::new(
            format!("a descriptor has no {prefix}: its keys begin with xpub or tpub"),
            "let the wallet show the key as xpub or tpub; the words around it say what script it makes",
        ));
    }
    body.parse().map_err(|error: miniscript::Error| Fault::new(format!("no descriptor: {error}"), hint))
}

/// What a text that is no description probably is.
pub(super) fn what_else(text: &str) -> &'static str {
    match text {
        _ if text.starts_with("cHNidP") || text.starts_with("70736274ff") => {
            "this is a PSBT, not a wallet description"
        }
        // Electrum's and Sparrow's encrypted files: base64 of `BIE1`, `BIE2` or `SPRW`.
        _ if ["QklFM", "U1BSV"].iter().any(|start| text.starts_with(start)) => {
            "this is an encrypted wallet file: it is not decrypted here"
        }
        _ if text.starts_with('[') || text.starts_with("xpub") || text.starts_with("tpub") => {
            "this is a key, not a wallet: a descriptor says what script it makes"
        }
        _ => "this is no wallet description that is read here",
    }
}

/// The descriptors of a multipath descriptor.
fn branches(text: &str) -> Result<Vec<String>, Fault> {
    let single = parse(text)?.into_single_descriptors().map_err(Fault::broken)?;
    Ok(single.iter().map(ToString::to_string).collect())
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The names before each opening bracket.
fn names(body: &str) -> impl Iterator<Item = &str> {
    body.split('(').map(|before| {
        before.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Format, read};

    const KEY: &str = "[73c5da0a/84'/1'/0']tpubDC8msFGeGuwnKG9Upg7DM2b4DaRqg3CUZa5g8v2SRQ6K4NSkxUgd7HsL2XVWbVm39yBA4LAxysQAm397zwQSQoQgewGiYZqrA9DsP4zbQ1M";

    #[test]
    fn one_a_pair_and_sparrows_three_are_the_same_wallet() {
        let one = format!("wpkh({KEY}/<0;1>/*)");
        let pair = format!("wpkh({KEY}/0/*)\r\nwpkh({KEY}/1/*)\n");
        let three = format!("# Receive and change:\n{one}\n\n# Receive:\n{pair}");
        let id = |text: &str| {
            let file = read(text.as_bytes()).unwrap();
            assert_eq!((file.format, file.network), (Format::Descriptor, None));
            file.wallet(bitcoin::Network::Regtest).unwrap().id()
        };
        assert_eq!(id(&one), id(&pair));
        assert_eq!(id(&one), id(&three));
        let other = three.replace("/1/*)", "/2/*)");
        assert!(read(other.as_bytes()).unwrap_err().to_string().contains("not one wallet"));
    }

    #[test]
    fn kinds_that_are_not_supported_are_named() {
        for (text, why) in [
            (format!("combo({KEY}/0/*)"), "combo()"),
            (format!("tr(musig({KEY},{KEY})/<0;1>/*)"), "musig()"),
            (format!("tr({KEY}/0/*,sortedmulti_a(1,{KEY}/<0;1>/*))"), "sortedmulti_a()"),
            (format!("wpkh({KEY}/<0;1>/*)#aaaaaaaa"), "checksum"),
            (KEY.to_owned(), "this is a key"),
            ("wpkh(zpub6rFR7y4Q2AijBEqTUquhVz398htDFrtymD9xYYfG1m4wAcvPhXNfE3EfH1r1ADqtfSdVCToUG868RvUUkgDKf31mGDtKsAYz2oz2AGutZYs/<0;1>/*)".to_owned(), "zpub"),
        ] {
            let error = read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
