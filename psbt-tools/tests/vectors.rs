//! The BIPs' own vectors: what is valid is read, what is invalid is refused, and each by the right number.

use bitcoin::Psbt;
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::hex::FromHex;
use policies::check::Outcome;
use policies::examine::FeeBounds;
use psbt_tools::combine::{Part, combine};
use psbt_tools::document::Document;
use psbt_tools::finalize::extract;
use psbt_tools::import::{Context, import};
use psbt_tools::strict;
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

fn rows<'a>(vectors: &'a Value, of: &str) -> Vec<(&'a str, Vec<u8>, &'a str)> {
    let text = |row: &'a Value, key: &str| row[key].as_str().unwrap_or_default();
    let rows = vectors[of].as_array().unwrap();
    assert!(!rows.is_empty());
    rows.iter()
        .map(|row| (text(row, "desc"), Vec::from_hex(text(row, "hex")).unwrap(), text(row, "base64")))
        .collect()
}

fn code(bytes: &[u8]) -> String {
    match Document::parse(bytes.to_vec()).and_then(|document| strict::parse(document.psbt_bytes())) {
        Ok(_) => "accepted".to_owned(),
        Err(error) => error.code(),
    }
}

#[test]
fn bip174_and_bip371_valid_are_read_from_every_encoding_and_round_trip() {
    for name in ["bip174.json", "bip371.json"] {
        let Some(vectors) = vectors(name) else { return };
        let rows = rows(&vectors, "valid");
        for (description, bytes, base64) in &rows {
            let document = Document::parse(base64.as_bytes().to_vec()).unwrap();
            assert_eq!(document.psbt_bytes(), bytes, "{description}");
            let psbt = strict::parse(bytes).unwrap_or_else(|error| panic!("{description}: {error}"));
            assert_eq!(strict::parse(&psbt.serialize()).unwrap(), psbt, "{description}");
        }
        eprintln!("{name}: {} valid accepted", rows.len());
    }
}

#[test]
fn bip174_and_bip371_invalid_are_refused() {
    for name in ["bip174.json", "bip371.json"] {
        let Some(vectors) = vectors(name) else { return };
        let rows = rows(&vectors, "invalid");
        for (description, bytes, _) in &rows {
            let expected = if description.starts_with("Network transaction") { "malformed" } else { "C21" };
            assert_eq!(code(bytes), expected, "{name}: {description}");
        }
        eprintln!("{name}: {} invalid refused", rows.len());
    }
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
fn bip370_valid_is_named_as_version_2() {
    let Some(vectors) = vectors("bip370.json") else { return };
    for of in ["valid", "locktime"] {
        let rows = rows(&vectors, of);
        for (description, bytes, _) in &rows {
            let error = strict::parse(bytes).unwrap_err();
            assert_eq!(error.to_string(), "PSBT version 2: not read yet", "{description}");
        }
        eprintln!("bip370.json: {} {of} named as version 2", rows.len());
    }
}

#[test]
fn bip370_invalid_is_refused_also_where_bitcoin_accepts_it() {
    let Some(vectors) = vectors("bip370.json") else { return };
    let rows = rows(&vectors, "invalid");
    let mut lenient = 0;
    for (description, bytes, _) in &rows {
        let is_v0 = description.starts_with("PSBTv0") && !description.contains("PSBT_GLOBAL_VERSION");
        let expected = if is_v0 { "C21" } else { "malformed" };
        assert_eq!(code(bytes), expected, "{description}");
        lenient += usize::from(Psbt::deserialize(bytes).is_ok());
    }
    eprintln!("bip370.json: {} invalid refused, {lenient} of which `bitcoin` reads", rows.len());
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
            let parts = pair.map(|(name, psbt)| Part { name, psbt });
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
