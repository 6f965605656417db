//! Frames of ours in other people's decoders, and theirs in ours: the crates `ur` and `bbqr`, and from JavaScript
//! `@ngraveio/bc-ur` and `bbqr`. What the latter need is made by `tests/peers/install-qr`.

mod qr_data;

use bbqr::encode::Encoding;
use bbqr::file_type::FileType;
use bbqr::join::Joined;
use bbqr::qr::Version as BbqrVersion;
use bbqr::split::{Split, SplitOptions};
use data_encoding::HEXLOWER;
use psbt_tools::qr::{Format, Frames, Integrity, Kind, Version};
use qr_data::{join, noise, psbt};
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Stdio};

/// Bytes of the payloads, and the version that each is shown in.
const SIZES: [(usize, u8); 4] = [(3_000, 10), (20_000, 20), (100_000, 27), (500_000, 27)];

fn shown(format: Format, kind: Kind, bytes: &[u8], version: u8) -> Frames {
    Frames::new(format, kind, bytes, Version::new(version).unwrap()).unwrap()
}

fn texts(frames: &Frames, first: usize, count: usize) -> Vec<String> {
    (first..first + count).map(|number| frames.frame(number as u64)).collect()
}

#[test]
fn the_ur_crate_reads_our_frames() {
    for (len, version) in SIZES {
        let bytes = psbt(len, 1);
        let frames = shown(Format::Ur, Kind::Psbt, &bytes, version);
        // From the middle on, so that sums of parts are among them.
        let mut decoder = ur::Decoder::default();
        for text in texts(&frames, frames.parts() / 2, frames.parts() * 4) {
            decoder.receive(&text.to_lowercase()).unwrap();
            if decoder.complete() {
                break;
            }
        }
        let message = decoder.message().unwrap().unwrap();
        assert!(message.ends_with(&bytes) && message.len() <= bytes.len() + 5, "{len}");
    }
}

#[test]
fn our_joiner_reads_the_ur_crate_s_frames() {
    for (len, _) in SIZES {
        let bytes = psbt(len, 2);
        let mut message = vec![0x5a];
        message.extend((len as u32).to_be_bytes());
        let head = match len {
            0..=0xffff => vec![0x59, (len >> 8) as u8, len as u8],
            _ => message,
        };
        let message = [head, bytes.clone()].concat();
        let mut encoder = ur::Encoder::new(&message, 900, "crypto-psbt").unwrap();
        let all = message.len().div_ceil(900) * 3;
        let texts: Vec<String> = (0..all).map(|_| encoder.next_part().unwrap()).collect();
        // Every third is lost.
        let seen = texts.iter().enumerate().filter(|(number, _)| number % 3 != 1).map(|(_, text)| text);
        let payload = join(seen).unwrap();
        assert_eq!(
            (payload.kind, payload.integrity),
            (Kind::Psbt, if all > 3 { Integrity::Crc32 } else { Integrity::Single })
        );
        assert_eq!(payload.bytes, bytes);
    }
}

#[test]
fn the_bbqr_crate_reads_our_frames() {
    for (len, version) in SIZES {
        // It does not know the type of plain bytes; noise, which does not shrink, goes as a transaction.
        for (kind, bytes, ty) in [
            (Kind::Psbt, psbt(len, 3), FileType::Psbt),
            (Kind::Transaction, noise(len, 3), FileType::Transaction),
        ] {
            let frames = shown(Format::Bbqr, kind, &bytes, version);
            let joined = Joined::try_from_parts(texts(&frames, 0, frames.parts())).unwrap();
            assert_eq!((joined.data, joined.file_type), (bytes, ty));
        }
    }
}

#[test]
fn our_joiner_reads_the_bbqr_crate_s_frames() {
    for (len, _) in SIZES {
        for encoding in [Encoding::Hex, Encoding::Base32, Encoding::Zlib] {
            let bytes = psbt(len, 4);
            let options = SplitOptions { encoding, max_version: BbqrVersion::V27, ..SplitOptions::default() };
            let split = Split::try_from_data(&bytes, FileType::Psbt, options).unwrap();
            let mut parts = split.parts.clone();
            parts.reverse();
            let payload = join(parts.iter().chain(&split.parts)).unwrap();
            assert_eq!((payload.kind, payload.integrity), (Kind::Psbt, Integrity::Repeated));
            assert_eq!(payload.bytes, bytes, "{len}");
        }
    }
}

/// What the JavaScript codecs answer; `None`, said on standard error, where they are absent.
fn javascript(request: &Value) -> Option<Value> {
    let peers = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/peers");
    let found = Command::new(peers.join("install-qr")).arg("--find").output().unwrap();
    if !found.status.success() {
        eprintln!("skipped: no JavaScript decoders of QR frames; tests/peers/install-qr makes them");
        return None;
    }
    let folder = String::from_utf8(found.stdout).unwrap();
    let mut node = Command::new("node")
        .arg(peers.join("qr_peer.cjs"))
        .current_dir(folder.trim())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = node.stdin.take().unwrap();
    let text = request.to_string();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()).unwrap());
    let output = node.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn javascript_reads_our_frames() {
    for (len, version) in SIZES {
        let bytes = psbt(len, 5);
        let frames = shown(Format::Ur, Kind::Psbt, &bytes, version);
        // Its decoder needs time with the square of the parts: only small payloads join from sums.
        let first = if len <= 20_000 { frames.parts() / 2 } else { 0 };
        let texts_of_ur = texts(&frames, first, frames.parts() * 4);
        let request = json!({"do": "join", "format": "ur", "frames": texts_of_ur});
        let Some(answer) = javascript(&request) else { return };
        assert_eq!(
            (answer["type"].as_str(), answer["hex"].as_str()),
            (Some("crypto-psbt"), Some(&*HEXLOWER.encode(&bytes)))
        );
        for bytes in [bytes, noise(len, 5)] {
            let kind = Kind::of(&bytes);
            let frames = shown(Format::Bbqr, kind, &bytes, version);
            let request =
                json!({"do": "join", "format": "bbqr", "frames": texts(&frames, 0, frames.parts())});
            let answer = javascript(&request).unwrap();
            let ty = if kind == Kind::Psbt { "P" } else { "B" };
            assert_eq!(
                (answer["type"].as_str(), answer["hex"].as_str()),
                (Some(ty), Some(&*HEXLOWER.encode(&bytes)))
            );
        }
    }
}

#[test]
fn our_joiner_reads_javascript_s_frames() {
    let frames = |answer: &Value| -> Vec<String> {
        answer["frames"].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    for (len, _) in SIZES {
        let bytes = psbt(len, 6);
        let hex = HEXLOWER.encode(&bytes);
        let count = len.div_ceil(900) * 2;
        let request = json!({"do": "split", "format": "ur", "hex": hex, "size": 900, "count": count});
        let Some(answer) = javascript(&request) else { return };
        let lossy = frames(&answer)
            .into_iter()
            .enumerate()
            .filter(|(number, _)| number % 4 != 1)
            .map(|(_, text)| text);
        assert_eq!(join(lossy).unwrap().bytes, bytes, "{len}");
        for encoding in ["H", "2", "Z"] {
            let request = json!({"do": "split", "format": "bbqr", "hex": hex, "encoding": encoding});
            let answer = javascript(&request).unwrap();
            assert_eq!(join(frames(&answer)).unwrap().bytes, bytes, "{len} {encoding}");
        }
    }
}
