//! Keys as CBOR (BCR-2020-007, BCR-2020-008), as the key expressions of descriptors (BIP380).

use super::cbor::{self, Wrong};
use bitcoin::base58;
use bitcoin::hex::DisplayHex;
use minicbor::Decoder;
use minicbor::data::Type;
use std::fmt::Write;

/// Version bytes of extended public keys (BIP32).
const XPUB: [u8; 4] = [0x04, 0x88, 0xb2, 0x1e];
/// The same of the test networks.
const TPUB: [u8; 4] = [0x04, 0x35, 0x87, 0xcf];

/// A path, and what it is of.
#[derive(Debug, Default)]
struct Keypath {
    /// Its steps, each with a slash in front.
    text: String,
    steps: usize,
    /// The last step's number in BIP32's form, where the last step is one number.
    last: u32,
    source: Option<u32>,
    depth: Option<u8>,
}

/// A key of either sort, behind its tag. `master` is the fingerprint that is meant where the key names none.
pub(super) fn key(decoder: &mut Decoder<'_>, master: Option<u32>) -> Result<String, Wrong> {
    match cbor::tag(decoder)? {
        303 | 40303 => hdkey(decoder, master),
        306 | 40306 => eckey(decoder),
        _ => Err("there is no key where one belongs"),
    }
}

/// An extended public key, or a single public key of which the origin is known.
pub(super) fn hdkey(decoder: &mut Decoder<'_>, master: Option<u32>) -> Result<String, Wrong> {
    let (mut data, mut chain_code) = (None, None);
    let (mut version, mut parent) = (XPUB, None);
    let (mut origin, mut children) = (Keypath::default(), Keypath::default());
    cbor::map(decoder, |field, decoder| {
        match field {
            1 | 2 => refuse_private(decoder)?,
            3 => data = Some(cbor::bytes::<33>(decoder)?),
            4 => chain_code = Some(cbor::bytes::<32>(decoder)?),
            5 => version = network(decoder)?,
            6 => origin = keypath(decoder)?,
            7 => children = keypath(decoder)?,
            8 => parent = Some(cbor::number::<u32>(decoder)?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let data = public(data)?;
    let mut text = String::new();
    // Writing into a string does not fail.
    if let Some(fingerprint) = origin.source.or(master) {
        let _ = write!(text, "[{fingerprint:08x}{}]", origin.text);
    }
    let Some(chain_code) = chain_code else {
        return Ok(text + &data.to_lower_hex_string());
    };
    let depth = match origin.depth {
        Some(depth) => depth,
        None => u8::try_from(origin.steps).map_err(|_| "a path of more than 255 steps")?,
    };
    let of_one_step = origin.source.filter(|_| depth == 1);
    let parent = parent.or(of_one_step).unwrap_or_default();
    let extended: Vec<u8> =
        [&version[..], &[depth], &parent.to_be_bytes(), &origin.last.to_be_bytes(), &chain_code, &data]
            .concat();
    Ok(text + &base58::encode_check(&extended) + &children.text)
}

/// A public key without a chain code.
fn eckey(decoder: &mut Decoder<'_>) -> Result<String, Wrong> {
    let mut data = None;
    cbor::map(decoder, |field, decoder| {
        match field {
            2 => refuse_private(decoder)?,
            3 => data = Some(cbor::bytes::<33>(decoder)?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    public(data).map(|data| data.to_lower_hex_string())
}

/// Bytes of a compressed public key; that they are a point is for those to check who use it.
fn public(data: Option<[u8; 33]>) -> Result<[u8; 33], Wrong> {
    data.filter(|data| matches!(data.first(), Some(2 | 3))).ok_or("there is no compressed public key")
}

fn refuse_private(decoder: &mut Decoder<'_>) -> Result<(), Wrong> {
    match decoder.bool() {
        Ok(false) => Ok(()),
        Ok(true) => Err("it holds a private key"),
        Err(_) => Err("there is no truth value where one belongs"),
    }
}

/// The version bytes for what a key is used for.
fn network(decoder: &mut Decoder<'_>) -> Result<[u8; 4], Wrong> {
    let (305 | 40305) = cbor::tag(decoder)? else { return Err("a key's use is not known") };
    let (mut coin, mut network) = (0_u32, 0_u32);
    cbor::map(decoder, |field, decoder| {
        match field {
            1 => coin = cbor::number(decoder)?,
            2 => network = cbor::number(decoder)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    match (coin, network) {
        (0, 0) => Ok(XPUB),
        (0 | 1, _) => Ok(TPUB),
        _ => Err("a key of another coin"),
    }
}

fn keypath(decoder: &mut Decoder<'_>) -> Result<Keypath, Wrong> {
    let (304 | 40304) = cbor::tag(decoder)? else { return Err("there is no path where one belongs") };
    let mut path = Keypath::default();
    cbor::map(decoder, |field, decoder| {
        match field {
            1 => components(decoder, &mut path)?,
            2 => path.source = Some(cbor::number(decoder)?),
            3 => path.depth = Some(cbor::number(decoder)?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(path)
}

/// The steps: a number, nothing (any number) or a pair of numbers, each with whether it is hardened.
fn components(decoder: &mut Decoder<'_>, path: &mut Keypath) -> Result<(), Wrong> {
    let mut left = cbor::array(decoder)?;
    while left > 0 {
        let taken = if decoder.datatype().is_ok_and(|ty| ty == Type::Array) {
            match cbor::array(decoder)? {
                0 => {
                    let hardened = hardened(decoder)?;
                    push(path, format_args!("/*{}", mark(hardened)), 0);
                    2
                }
                4 => {
                    let (first, mark_first) = child(decoder)?;
                    let (second, mark_second) = child(decoder)?;
                    push(path, format_args!("/<{first}{mark_first};{second}{mark_second}>"), 0);
                    1
                }
                _ => return Err("a path with a range of numbers is not read"),
            }
        } else {
            let (number, mark) = child(decoder)?;
            let bit = if mark.is_empty() { 0 } else { 1 << 31 };
            push(path, format_args!("/{number}{mark}"), number | bit);
            2
        };
        left = left.checked_sub(taken).ok_or("a path with half a step")?;
    }
    Ok(())
}

fn push(path: &mut Keypath, step: std::fmt::Arguments<'_>, last: u32) {
    // Writing into a string does not fail.
    let _ = path.text.write_fmt(step);
    path.steps = path.steps.saturating_add(1);
    path.last = last;
}

fn child(decoder: &mut Decoder<'_>) -> Result<(u32, &'static str), Wrong> {
    let number: u32 = cbor::number(decoder)?;
    if number >= 1 << 31 {
        return Err("a step of a path is too large");
    }
    Ok((number, mark(hardened(decoder)?)))
}

fn hardened(decoder: &mut Decoder<'_>) -> Result<bool, Wrong> {
    decoder.bool().map_err(|_| "a path does not say whether a step is hardened")
}

fn mark(hardened: bool) -> &'static str {
    if hardened { "'" } else { "" }
}
