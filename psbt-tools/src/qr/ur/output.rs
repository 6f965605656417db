//! Descriptors as CBOR: version 1 as a tree of tags (BCR-2020-010), later ones as text with the keys beside it
//! (BCR-2023-010), and accounts, which are several of them (BCR-2020-015, BCR-2023-019).

use super::cbor::{self, Wrong};
use super::keys::key;
use minicbor::Decoder;

/// Largest text of descriptors, in bytes: a placeholder of two characters may stand for a long key, many times.
const MAX_TEXT_LEN: usize = 1024 * 1024;

/// A descriptor of version 1. Nesting is bounded by the check that the CBOR has passed.
pub(super) fn expression(decoder: &mut Decoder<'_>, master: Option<u32>) -> Result<String, Wrong> {
    let name = match cbor::tag(decoder)? {
        400 => return Ok(format!("sh({})", expression(decoder, master)?)),
        401 => return Ok(format!("wsh({})", expression(decoder, master)?)),
        406 => return multi("multi", decoder, master),
        407 => return multi("sortedmulti", decoder, master),
        402 => "pk",
        403 => "pkh",
        404 => "wpkh",
        405 => "combo",
        409 => "tr",
        410 => "cosigner",
        _ => return Err("a script of a kind that is not read"),
    };
    Ok(format!("{name}({})", key(decoder, master)?))
}

fn multi(name: &str, decoder: &mut Decoder<'_>, master: Option<u32>) -> Result<String, Wrong> {
    let (mut threshold, mut keys) = (None, Vec::new());
    cbor::map(decoder, |field, decoder| {
        match field {
            1 => threshold = Some(cbor::number::<u32>(decoder)?),
            2 => keys = key_list(decoder, master)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let threshold = threshold.ok_or("a multisig without its threshold")?;
    Ok(format!("{name}({threshold},{})", keys.join(",")))
}

fn key_list(decoder: &mut Decoder<'_>, master: Option<u32>) -> Result<Vec<String>, Wrong> {
    // The count is not believed: every key takes bytes of what there is.
    (0..cbor::array(decoder)?).map(|_| key(decoder, master)).collect()
}

/// A descriptor of version 3: its text, with `@0`, `@1` … for the keys beside it.
pub(super) fn text(decoder: &mut Decoder<'_>) -> Result<String, Wrong> {
    with_keys(decoder, None)
}

fn with_keys(decoder: &mut Decoder<'_>, master: Option<u32>) -> Result<String, Wrong> {
    let (mut source, mut keys) = (None, Vec::new());
    cbor::map(decoder, |field, decoder| {
        match field {
            1 => source = Some(decoder.str().map_err(|_| "there is no text where one belongs")?),
            2 => keys = key_list(decoder, master)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let source = source.ok_or("a descriptor without its text")?;
    let mut pieces = source.split('@');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece.find(|c: char| !c.is_ascii_digit()).unwrap_or(piece.len());
        let (number, rest) = piece.split_at_checked(end).unwrap_or_default();
        let key = number.parse().ok().and_then(|number: usize| keys.get(number));
        text.push_str(key.ok_or("a descriptor names a key that is not there")?);
        text.push_str(rest);
        if text.len() > MAX_TEXT_LEN {
            return Err("a descriptor that is too long");
        }
    }
    Ok(text)
}

/// All descriptors of an account of either version, one a line.
pub(super) fn account(decoder: &mut Decoder<'_>) -> Result<String, Wrong> {
    let (mut master, mut lines) = (None, String::new());
    cbor::map(decoder, |field, decoder| {
        match field {
            1 => master = Some(cbor::number::<u32>(decoder)?),
            2 => {
                for _ in 0..cbor::array(decoder)? {
                    let line = match cbor::tag(decoder)? {
                        308 => expression(decoder, master)?,
                        40308 => with_keys(decoder, master)?,
                        _ => return Err("there is no descriptor where one belongs"),
                    };
                    lines.push_str(&line);
                    lines.push('\n');
                    if lines.len() > MAX_TEXT_LEN {
                        return Err("an account that is too long");
                    }
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    match (master, lines.pop()) {
        (Some(_), Some(_)) => Ok(lines),
        _ => Err("an account without its fingerprint or without descriptors"),
    }
}
