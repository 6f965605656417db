//! The BIPs' own vectors: what is valid is read, what is invalid is refused, and each by the right number.

mod raw;

use bitcoin::Psbt;
use bitcoin::base64::Engine;
use bitcoin::base64::prelude::BASE64_STANDARD;
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::hex::FromHex;
use policies::check::Outcome;
use policies::examine::FeeBounds;
use psbt_tools::combine::{Part, combine};
use psbt_tools::convert::{to_version_0, to_version_2};
use psbt_tools::document::{Document, Encoding};
use psbt_tools::finalize::extract;
use psbt_tools::form::Form;
use psbt_tools::import::{Context, import};
use psbt_tools::strict;
use raw::maps;
use serde_json::Value;
use std::path::PathBuf;

/// The vectors of a file; `None`, said on standard error, where they are absent.
fn vectors(name: &str) -> Option<Value> {
    let folder = std::env::var_os("AIRLOCK_VECTORS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors"),
        PathBuf::from,
    );
    let Ok(text) = std::fs::read_to_string(folder.join(name)) else {
        eprintln!("skipped: {name} is not there; AIRLOCK_VECTORS names the folder of public vectors");
        return None;
    };
    Some(serde_json::from_str(&text).unwrap())
}

fn rows<'a>(vectors: &'a Value, of: &str) -> Vec<(&'a str, Vec<u8>, String)> {
    let rows = vectors[of].as_array().unwrap();
    assert!(!rows.is_empty());
    rows.iter()
        .map(|row| {
            let text = |keys: &[&str]| keys.iter().find_map(|key| row[key].as_str());
            let base64 = text(&["base64", "psbt"]).unwrap_or_default().to_owned();
            let bytes = match row["hex"].as_str() {
                Some(hex) => Vec::from_hex(hex).unwrap(),
                None => BASE64_STANDARD.decode(&base64).unwrap(),
            };
            (text(&["desc", "description"]).unwrap(), bytes, base64)
        })
        .collect()
}

/// It is read from every encoding, and written again with the same fields; in the other version too, where that is
/// possible, and back.
fn round_trips(name: &str, bytes: &[u8], base64: &str) {
    let from_text = Document::parse(base64.as_bytes().to_vec()).unwrap();
    assert_eq!((from_text.psbt_bytes(), from_text.encoding()), (bytes, Encoding::Base64), "{name}");
    let from_hex = Document::parse(Encoding::Hex.encode_bytes(bytes.to_vec())).unwrap();
    assert_eq!((from_hex.psbt_bytes(), from_hex.encoding()), (bytes, Encoding::Hex), "{name}");
    let from_binary = Document::parse(bytes.to_vec()).unwrap();
    assert_eq!((from_binary.psbt_bytes(), from_binary.encoding()), (bytes, Encoding::Binary), "{name}");

    let (psbt, form) = strict::read(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(maps(&form.serialize(&psbt)), maps(bytes), "{name}: every field is written as it was");
    let (one, two) = (to_version_0(bytes).unwrap(), to_version_2(bytes));
    assert_eq!(strict::read(&one).unwrap(), (psbt.clone(), form.to_version_0()), "{name}");
    match two {
        Ok(two) => {
            assert_eq!(strict::parse(&two).unwrap(), psbt, "{name}");
            assert_eq!(maps(&to_version_0(&two).unwrap()), maps(&one), "{name}: version 0, 2 and 0 again");
        }
        Err(error) => {
            assert_eq!(error.code(), "not-written", "{name}: {error}");
            assert!(psbt.unsigned_tx.version.0 < 2, "{name}: {error}");
        }
    }
}

fn code(bytes: &[u8]) -> String {
    match Document::parse(bytes.to_vec()).and_then(|document| strict::parse(document.psbt_bytes())) {
        Ok(_) => "accepted".to_owned(),
        Err(error) => error.code(),
    }
}

#[test]
fn every_valid_vector_is_read_and_written_again_with_every_field_as_it_was() {
    for (name, count) in [("bip174.json", 10), ("bip370.json", 14), ("bip371.json", 6), ("bip373.json", 14)] {
        let Some(vectors) = vectors(name) else { return };
        let rows = rows(&vectors, "valid");
        for (description, bytes, base64) in &rows {
            round_trips(description, bytes, base64);
        }
        assert_eq!(rows.len(), count);
        eprintln!("{name}: {count} of {count} valid accepted");
    }
}

#[test]
fn every_invalid_vector_is_refused_also_where_bitcoin_accepts_it() {
    for (name, count) in [("bip174.json", 20), ("bip370.json", 24), ("bip371.json", 11), ("bip373.json", 10)]
    {
        let Some(vectors) = vectors(name) else { return };
        let rows = rows(&vectors, "invalid");
        let mut lenient = 0;
        for (description, bytes, _) in &rows {
            let expected = if description.starts_with("Network transaction") { "malformed" } else { "C21" };
            assert_eq!(code(bytes), expected, "{name}: {description}");
            lenient += usize::from(Psbt::deserialize(bytes).is_ok());
        }
        assert_eq!(rows.len(), count);
        eprintln!("{name}: {count} of {count} invalid refused, {lenient} of which `bitcoin` reads");
    }
}

#[test]
fn bip370_locktimes_are_the_vectors_and_the_impossible_one_is_refused() {
    let Some(vectors) = vectors("bip370.json") else { return };
    let rows = rows(&vectors, "locktime");
    for ((description, bytes, base64), row) in rows.iter().zip(vectors["locktime"].as_array().unwrap()) {
        match row["locktime"].as_u64() {
            Some(expected) => {
                let psbt = strict::parse(bytes).unwrap();
                assert_eq!(
                    u64::from(psbt.unsigned_tx.lock_time.to_consensus_u32()),
                    expected,
                    "{description}"
                );
                round_trips(description, bytes, base64);
            }
            None => {
                let error = strict::parse(bytes).unwrap_err();
                assert_eq!(error.code(), "C21", "{description}");
                assert!(error.to_string().contains("no transaction has both"), "{error}");
            }
        }
    }
    assert_eq!(rows.len(), 10);
    eprintln!("bip370.json: 10 of 10 locktimes");
}

/// BIP375: outputs whose script is not worked out yet are refused: nothing here makes silent payments. Whether a script
/// that stands there is the recipient's is not verified, as with any other address; so the vectors that are invalid for
/// their proofs, shares and keys (`ecdh coverage`, `input eligibility`, `output scripts`) are out of scope.
#[test]
fn bip375_fields_are_kept_and_an_output_without_script_is_refused() {
    let Some(vectors) = vectors("bip375.json") else { return };
    let (mut read, mut without_script) = (0, 0);
    for (description, bytes, base64) in rows(&vectors, "valid") {
        match strict::parse(&bytes) {
            Ok(_) => {
                round_trips(description, &bytes, &base64);
                read += 1;
            }
            Err(error) => {
                assert!(error.to_string().contains("silent payment"), "{description}: {error}");
                assert!(description.starts_with("in progress"), "{description}");
                without_script += 1;
            }
        }
    }
    let (mut refused, mut out_of_scope) = (0, 0);
    for (description, bytes, _) in rows(&vectors, "invalid") {
        if description.starts_with("psbt structure") {
            assert_eq!(code(&bytes), "C21", "{description}");
            refused += 1;
        } else {
            out_of_scope += 1;
        }
    }
    eprintln!("bip375.json: {read} valid read, {without_script} without a script refused");
    eprintln!("bip375.json: {refused} of 6 with a wrong structure refused, {out_of_scope} out of scope");
    assert_eq!((read + without_script, refused, out_of_scope), (20, 6, 16));
}

#[test]
fn bip174_vectors_for_signers_are_refused_by_a_check() {
    let Some(vectors) = vectors("bip174.json") else { return };
    let rows = rows(&vectors, "fails_signer_checks");
    for (description, bytes, _) in &rows {
        let imported = import(bytes.clone(), &[], &Context::default()).unwrap();
        assert_eq!(imported.verdict(), Outcome::Refuse, "{description}");
        let number = if description.contains("non-witness input") { "C03" } else { "C21" };
        assert!(
            imported.findings().iter().any(|f| f.outcome == Outcome::Refuse && f.code.to_string() == number),
            "{description}: {number} expected"
        );
    }
    eprintln!("bip174.json: {} refused by signers' checks", rows.len());
}

#[test]
fn bip174_flow_is_read_and_extracts_to_the_vector_transaction() {
    let Some(vectors) = vectors("bip174.json") else { return };
    let rows = vectors["flow"].as_array().unwrap();
    let (mut read, mut last) = (0, None::<Psbt>);
    for row in rows {
        let bytes = row["hex"].as_str().map(|hex| Vec::<u8>::from_hex(hex).unwrap()).unwrap();
        if row["desc"].as_str().unwrap().contains("transaction extractor") {
            let transaction = extract(last.as_ref().unwrap(), &FeeBounds::default()).unwrap();
            assert_eq!(serialize_hex(&transaction), row["hex"].as_str().unwrap());
        } else {
            last = Some(strict::parse(&bytes).unwrap());
        }
        read += 1;
    }
    eprintln!("bip174.json: {read} steps of the flow");
}

#[test]
fn bip174_combiner_steps_make_the_vectors_in_any_order() {
    let Some(vectors) = vectors("bip174.json") else { return };
    let of = |role: &str| {
        let row = vectors["flow"].as_array().unwrap().iter().find(|row| row["role"] == role).unwrap();
        Vec::<u8>::from_hex(row["hex"].as_str().unwrap()).unwrap()
    };
    for (one, other, result) in [
        ("signer_1", "signer_2", "combiner"),
        ("lex_combine_input_1", "lex_combine_input_2", "lex_combine_result"),
    ] {
        let [one, other] = [one, other].map(|role| (role, strict::parse(&of(role)).unwrap()));
        for pair in [[&one, &other], [&other, &one]] {
            let form = Form::default();
            let parts = pair.map(|(name, psbt)| Part { name, psbt, form: &form });
            let combined = combine(&parts).unwrap();
            assert_eq!(combined.unverified, 0, "{result}");
            assert_eq!(combined.psbt, strict::parse(&of(result)).unwrap(), "{result}");
            if result.starts_with("lex") {
                assert_eq!(combined.psbt.serialize(), of(result), "keys in lexicographic order");
            }
        }
    }
    eprintln!("bip174.json: 2 combiner steps");
}
