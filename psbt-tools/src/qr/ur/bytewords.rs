//! Bytewords in their minimal form (BCR-2020-012): two letters a byte, the last four bytes a CRC-32.

use crate::qr::fault::{Fault, form};
use crate::qr::payload::Format;

/// The 256 words of four letters; the minimal form has the first and the last letter of each.
const WORDS: &[u8; 1024] = b"\
    ableacidalsoapexaquaarchatomauntawayaxisbackbaldbarnbeltbetabiasbluebodybragbrewbulbbuzzcalmcashcats\
    chefcityclawcodecolacookcostcruxcurlcuspcyandarkdatadaysdelidicedietdoordowndrawdropdrumdulldutyeach\
    easyechoedgeepicevenexamexiteyesfactfairfernfigsfilmfishfizzflapflewfluxfoxyfreefrogfuelfundgalagame\
    geargemsgiftgirlglowgoodgraygrimgurugushgyrohalfhanghardhawkheathelphighhillholyhopehornhutsicedidea\
    idleinchinkyintoirisironitemjadejazzjoinjoltjowljudojugsjumpjunkjurykeepkenokeptkeyskickkilnkingkite\
    kiwiknoblamblavalazyleaflegsliarlimplionlistlogoloudloveluaulucklungmainmanymathmazememomenumeowmild\
    mintmissmonknailnavyneednewsnextnoonnotenumbobeyoboeomitonyxopenovalowlspaidpartpeckplaypluspoempool\
    posepuffpumapurrquadquizraceramprealredorichroadrockroofrubyruinrunsrustsafesagascarsetssilkskewslot\
    soapsolosongstubsurfswantacotasktaxitenttiedtimetinytoiltombtoystriptunatwinuglyundouniturgeuservast\
    veryvetovialvibeviewvisavoidvowswallwandwarmwaspwavewaxywebswhatwhenwhizwolfworkyankyawnyellyogayurt\
    zapszerozestzinczonezoom";

/// Bytes of the check sum.
const SUM_LEN: usize = 4;

/// No byte has this pair of letters.
const NO_BYTE: u16 = u16::MAX;

/// The byte of each pair of letters, `26 * first + last`.
static BYTES: [u16; 26 * 26] = bytes_by_letters();

const fn bytes_by_letters() -> [u16; 26 * 26] {
    let mut bytes = [NO_BYTE; 26 * 26];
    let mut byte = 0;
    // Evaluated when this is compiled: a wrong index would not compile.
    #[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]
    while byte < 256 {
        let (first, last) = (WORDS[4 * byte], WORDS[4 * byte + 3]);
        bytes[(first - b'a') as usize * 26 + (last - b'a') as usize] = byte as u16;
        byte += 1;
    }
    bytes
}

/// The number of a letter of either case.
fn letter(byte: u8) -> Option<usize> {
    byte.is_ascii_alphabetic().then(|| usize::from(byte.to_ascii_lowercase().wrapping_sub(b'a')))
}

/// The byte of two letters.
fn byte(letters: &[u8]) -> Option<u8> {
    let &[first, last] = letters else { return None };
    let at = letter(first)?.checked_mul(26)?.checked_add(letter(last)?)?;
    u8::try_from(*BYTES.get(at)?).ok()
}

/// Characters that `len` bytes and their check sum take.
pub(super) fn encoded_len(len: usize) -> usize {
    len.saturating_add(SUM_LEN).saturating_mul(2)
}

/// The bytes with their check sum, in upper case: a QR code holds that as alphanumeric.
pub(super) fn encode(bytes: &[u8]) -> String {
    let sum = crc32fast::hash(bytes).to_be_bytes();
    let mut text = String::with_capacity(encoded_len(bytes.len()));
    for byte in bytes.iter().chain(&sum) {
        let mut word =
            WORDS.iter().skip(usize::from(*byte).saturating_mul(4)).map(|letter| letter.to_ascii_uppercase());
        text.extend(word.next().map(char::from));
        text.extend(word.nth(2).map(char::from));
    }
    text
}

/// The bytes of a text in either case, without their check sum, which is checked.
pub(super) fn decode(text: &str) -> Result<Vec<u8>, Fault> {
    let mut bytes = text
        .as_bytes()
        .chunks(2)
        .map(byte)
        .collect::<Option<Vec<u8>>>()
        .ok_or(form(Format::Ur, "letters that stand for no byte"))?;
    let len = bytes.len().checked_sub(SUM_LEN).filter(|len| *len > 0);
    let len = len.ok_or(form(Format::Ur, "nothing before the check sum"))?;
    let stated = bytes.split_off(len);
    let stated = u32::from_be_bytes(stated.try_into().unwrap_or_default());
    let computed = crc32fast::hash(&bytes);
    if stated != computed {
        return Err(Fault::FrameChecksum { stated, computed });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_its_own_letters() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&all)), Ok(all));
    }

    #[test]
    fn the_specification_s_value_is_read_in_either_case() {
        // BCR-2020-012: able acid also lava zoom, then the sum jade need echo taxi.
        let bytes = vec![0, 1, 2, 128, 255];
        assert_eq!(encode(&bytes), "AEADAOLAZMJENDEOTI");
        assert_eq!(decode("aeadaolazmjendeoti"), Ok(bytes.clone()));
        assert_eq!(decode("AEADAOLAZMJENDEOTI"), Ok(bytes));
    }

    #[test]
    fn broken_texts_are_refused() {
        assert!(matches!(decode("aeadaolazmjendeowf"), Err(Fault::FrameChecksum { .. })));
        for text in
            ["", "a", "aeadaola", "jendeoti", "aeadaolazmjendeot", "ae ad", "zzzzzzzzzzzz", "äöäöäöäöäö"]
        {
            assert!(matches!(decode(text), Err(Fault::Form { .. })), "{text}");
        }
    }

    #[test]
    fn its_length_is_known_beforehand() {
        for len in [1, 7, 300] {
            assert_eq!(encode(&vec![9; len]).len(), encoded_len(len));
        }
    }
}
