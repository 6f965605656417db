//! Fields of a PSBT in words, for people who compare files.

use crate::display::{escape_bytes, hex};
use crate::envelope::{self, Kind};
use crate::money::amount_text;
use crate::strict::fields::{self, Map, PROPRIETARY};
use bitcoin::bip32::{ChildNumber, DerivationPath};
use bitcoin::consensus::deserialize;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::psbt::raw::{Key, ProprietaryKey};
use bitcoin::{Address, Network, ScriptBuf, Transaction, TxOut};

/// Longest value that is shown whole, in bytes: two public keys or one signature fit.
const SHOWN_WHOLE: usize = 80;

/// What a field is to whoever asks whether a file only grew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    /// A signature, in an input or made final.
    Signature,
    /// One of our own documents.
    Document(Kind),
    /// Everything else.
    Other,
}

/// What sort of field a key is of.
pub(crate) fn sort(map: Map, key: &[u8]) -> Sort {
    match (map, key.first()) {
        (Map::Global, Some(&PROPRIETARY)) => {
            proprietary(key).and_then(|key| envelope::kind_of(&key)).map_or(Sort::Other, Sort::Document)
        }
        // BIP174, BIP371, BIP373: partial, taproot and MuSig2 signatures, final scriptSig and witness.
        (Map::Input, Some(0x02 | 0x07 | 0x08 | 0x13 | 0x14 | 0x1c)) => Sort::Signature,
        (Map::Global | Map::Input | Map::Output, _) => Sort::Other,
    }
}

/// The field's name with what its key says, such as `signature by 02…`.
pub(crate) fn name(map: Map, key: &[u8]) -> String {
    let Some((&kind, keydata)) = key.split_first() else { return "a key without type".to_owned() };
    if kind == PROPRIETARY {
        return match (sort(map, key), proprietary(key)) {
            (Sort::Document(kind), Some(key)) => format!("{} {}", kind.as_str(), hex(&key.key)),
            (_, Some(key)) => {
                format!("proprietary field `{}` {} {}", escape_bytes(&key.prefix), key.subtype, hex(&key.key))
            }
            (_, None) => format!("proprietary field {}", hex(keydata)),
        };
    }
    let of =
        |what: &str| if keydata.is_empty() { what.to_owned() } else { format!("{what} {}", hex(keydata)) };
    match (map, kind) {
        (Map::Global, 0x01) => of("extended key"),
        (Map::Input, 0x00) => of("previous transaction"),
        (Map::Input, 0x01) => of("witness UTXO"),
        (Map::Input, 0x02) => of("signature by"),
        (Map::Input, 0x03) => of("sighash type"),
        (Map::Input, 0x07) => of("final scriptSig"),
        (Map::Input, 0x08) => of("final witness"),
        (Map::Input, 0x10) => of("sequence"),
        (Map::Input, 0x11) => of("required time locktime"),
        (Map::Input, 0x12) => of("required height locktime"),
        (Map::Global, 0x03) => of("fallback locktime"),
        (Map::Input, 0x13) => of("taproot signature"),
        (Map::Input, 0x14) => of("taproot script signature by"),
        (Map::Input, 0x04) | (Map::Output, 0x00) => of("redeem script"),
        (Map::Input, 0x05) | (Map::Output, 0x01) => of("witness script"),
        (Map::Input, 0x06 | 0x16) | (Map::Output, 0x02 | 0x07) => of("derivation of"),
        (Map::Input, 0x17) | (Map::Output, 0x05) => of("taproot internal key"),
        (Map::Global | Map::Input | Map::Output, kind) => match fields::name(map, kind) {
            Some(name) => of(name),
            None => of(&format!("unknown field 0x{kind:02x}")),
        },
    }
}

/// The field's value as people read it.
pub(crate) fn value(map: Map, key: &[u8], value: &[u8], network: Option<Network>) -> String {
    let shown = match (map, key.first()) {
        (Map::Global, Some(0x01)) => origin(value),
        (Map::Input, Some(0x00)) => deserialize::<Transaction>(value)
            .ok()
            .map(|transaction| format!("{} of {} bytes", transaction.compute_txid(), value.len())),
        (Map::Input, Some(0x01)) => deserialize::<TxOut>(value).ok().map(|output| {
            format!("{} to {}", amount_text(output.value), destination(&output.script_pubkey, network))
        }),
        (Map::Input, Some(0x06)) | (Map::Output, Some(0x02)) => origin(value),
        (Map::Input, Some(0x10)) => fields::little_endian(value).map(|number| format!("0x{number:08x}")),
        (Map::Global, Some(0x03)) | (Map::Input, Some(0x11 | 0x12)) => {
            fields::little_endian(value).map(|number| number.to_string())
        }
        // BIP371: the leaves that a key stands in, then its origin; a key path has none.
        (Map::Input, Some(0x16)) | (Map::Output, Some(0x07)) => value.strip_prefix(&[0]).and_then(origin),
        (Map::Global | Map::Input | Map::Output, _) => None,
    };
    shown.unwrap_or_else(|| bytes(value))
}

/// Bytes whole when they are few, else their number and hash.
pub(crate) fn bytes(value: &[u8]) -> String {
    match value {
        [] => "empty".to_owned(),
        value if value.len() <= SHOWN_WHOLE => hex(value),
        value => digest(value),
    }
}

/// How many bytes, and their hash: what tells two values apart whose words are the same.
pub(crate) fn digest(value: &[u8]) -> String {
    format!("{} bytes, SHA-256 {}", value.len(), sha256::Hash::hash(value))
}

/// The address of a script where the network is known and it has one, else the script.
pub(crate) fn destination(script: &ScriptBuf, network: Option<Network>) -> String {
    network
        .and_then(|network| Address::from_script(script, network).ok())
        .map_or_else(|| format!("script {}", script.to_hex_string()), |address| address.to_string())
}

fn proprietary(key: &[u8]) -> Option<ProprietaryKey> {
    let (&type_value, keydata) = key.split_first()?;
    ProprietaryKey::try_from(Key { type_value, key: keydata.to_vec() }).ok()
}

/// A key's origin: its fingerprint, then steps of four bytes (BIP174).
fn origin(value: &[u8]) -> Option<String> {
    let (fingerprint, steps) = value.split_at_checked(4)?;
    let steps: Option<Vec<ChildNumber>> = steps
        .chunks(4)
        .map(|step| Some(ChildNumber::from(u32::from_le_bytes(step.try_into().ok()?))))
        .collect();
    let path = DerivationPath::from(steps?).to_string();
    Some(if path.is_empty() { hex(fingerprint) } else { format!("{}/{path}", hex(fingerprint)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_fields_have_words_and_unknown_ones_their_bytes() {
        assert_eq!(name(Map::Input, &[0x02, 0xab, 0xcd]), "signature by abcd");
        assert_eq!(name(Map::Input, &[0x15, 0xc0]), "PSBT_IN_TAP_LEAF_SCRIPT c0");
        assert_eq!(name(Map::Output, &[0x77, 0x01]), "unknown field 0x77 01");
        assert_eq!(name(Map::Global, b"\xfc\x02\x1b[\x07k"), "proprietary field `\\x1b[` 7 6b");
        assert_eq!(name(Map::Global, b"\xfc\x07airlock\x03\x01\x02"), "permit 0102");
        assert_eq!(
            value(Map::Output, &[0x02], &[1, 2, 3, 4, 84, 0, 0, 0x80, 5, 0, 0, 0], None),
            "01020304/84'/5"
        );
        assert_eq!(value(Map::Output, &[0x77], &[], None), "empty");
        assert!(value(Map::Output, &[0x77], &[0; 81], None).starts_with("81 bytes, SHA-256 "));
    }

    #[test]
    fn our_documents_are_told_apart_only_in_the_global_map() {
        let permit = b"\xfc\x07airlock\x03\x01\x02";
        assert_eq!(sort(Map::Global, permit), Sort::Document(Kind::Permit));
        assert_eq!(sort(Map::Input, permit), Sort::Other);
        assert_eq!(sort(Map::Global, b"\xfc\x07airlock\x09\x01\x02"), Sort::Other);
        assert_eq!(sort(Map::Output, &[0x02, 1]), Sort::Other);
    }
}
