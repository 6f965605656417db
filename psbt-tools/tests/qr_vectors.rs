//! BBQr's own vectors: its files survive our frames and other people's, and a series that was filmed joins.

mod qr_data;

use data_encoding::BASE64;
use psbt_tools::qr::{Format, Frames, Kind, Version};
use qr_data::join;
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

/// How much the specification's table says that each file shrinks to, in bytes.
const DEFLATED: [(&str, usize); 10] = [
    ("1in1000out.psbt", 22_095),
    ("1in100out.psbt", 2_654),
    ("1in10out.psbt", 670),
    ("1in20out.psbt", 897),
    ("1in2out.psbt", 458),
    ("devils-txn.txn", 356),
    ("finalized-by-ckcc.txn", 807),
    ("last.txn", 530),
    ("nfc-result.txn", 362),
    ("signed.txn", 77_090),
];

#[test]
fn the_files_survive_and_shrink_as_the_specification_says() {
    let Some(vectors) = vectors("bbqr.json") else { return };
    assert_eq!(vectors["files"].as_object().unwrap().len(), DEFLATED.len());
    for (name, deflated) in DEFLATED {
        let bytes = BASE64.decode(vectors["files"][name].as_str().unwrap().as_bytes()).unwrap();
        let kind = Kind::of(&bytes);
        let expected = if name.ends_with(".psbt") { Kind::Psbt } else { Kind::Transaction };
        assert!(kind == expected || kind == Kind::Text, "{name}: {kind:?}");
        for format in [Format::Ur, Format::Bbqr] {
            let frames = Frames::new(format, kind, &bytes, Version::new(20).unwrap()).unwrap();
            let texts: Vec<String> = (0..frames.parts() as u64).map(|number| frames.frame(number)).collect();
            assert_eq!(join(&texts).unwrap().bytes, bytes, "{name} {format}");
            if format == Format::Bbqr {
                let body: usize = texts.iter().map(|text| (text.len() - 8) * 5 / 8).sum();
                assert!(body <= deflated + deflated / 100 + 2, "{name}: {body} bytes instead of {deflated}");
            }
        }
    }
}

#[test]
fn a_series_that_was_filmed_joins() {
    let Some(vectors) = vectors("bbqr.json") else { return };
    let parts = vectors["real_scan_parts"].as_array().unwrap();
    assert_eq!(parts.len(), 26);
    let payload = join(parts.iter().map(|part| part.as_str().unwrap())).unwrap();
    assert_eq!((payload.format, payload.kind), (Format::Bbqr, Kind::Text));
    let text = String::from_utf8(payload.bytes).unwrap();
    for contained in vectors["real_scan_expect"]["contains"].as_array().unwrap() {
        assert!(text.contains(contained.as_str().unwrap()), "{contained}");
    }
}
