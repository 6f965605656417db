//! What holds for every payload, and what no damage to frames brings about.

mod qr_data;

use proptest::prelude::*;
use psbt_tools::qr::{Format, Frames, Integrity, Kind, Scan, Taken, Version};
use qr_data::{Random, join, noise, psbt};
use std::time::{Duration, Instant};

fn format() -> impl Strategy<Value = Format> {
    prop_oneof![Just(Format::Ur), Just(Format::Bbqr)]
}

/// The frames, when codes of that version can hold the payload.
fn shown(format: Format, kind: Kind, bytes: &[u8], version: u8) -> Option<Frames> {
    Frames::new(format, kind, bytes, Version::new(version).unwrap()).ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_payload_comes_back(bytes in prop::collection::vec(any::<u8>(), 1..6_000), format in format(), version in 3..=40_u8) {
        let kind = Kind::of(&bytes);
        let Some(frames) = shown(format, kind, &bytes, version) else { return Ok(()) };
        let texts: Vec<String> = (0..frames.parts() as u64).map(|number| frames.frame(number)).collect();
        prop_assert!(texts.iter().all(|text| text.len() <= Version::new(version).unwrap().alphanumeric()));
        let payload = join(&texts).unwrap();
        prop_assert_eq!((payload.format, payload.kind, payload.bytes), (format, kind, bytes));
    }

    #[test]
    fn order_duplicates_and_foreign_frames_do_not_matter(
        len in 1_000..8_000_usize, seed: u64, format in format(), loss in 0..60_usize,
    ) {
        let bytes = psbt(len, seed);
        let frames = shown(format, Kind::Psbt, &bytes, 8).unwrap();
        let other = shown(Format::Ur, Kind::Psbt, &psbt(len, seed ^ 1), 8).unwrap();
        let (mut scan, mut random) = (Scan::new(), Random(seed));
        let mut whole = None;
        for _ in 0..40 * frames.parts() {
            let number = random.below(3 * frames.parts()) as u64;
            // At most one of the other's: it never becomes whole.
            let text = match random.below(100) {
                0 => other.frame(1),
                1 => "https://example.org".to_owned(),
                lost if lost < loss => continue,
                _ => frames.frame(number),
            };
            if let Taken::Joined(payload) = scan.take(&text) {
                whole = Some(payload);
                break;
            }
        }
        prop_assert_eq!(whole.map(|payload| payload.bytes), Some(bytes));
    }

    #[test]
    fn the_rank_never_goes_back(len in 500..4_000_usize, seed: u64, format in format()) {
        let frames = shown(format, Kind::Psbt, &psbt(len, seed), 6).unwrap();
        let (mut scan, mut random, mut last) = (Scan::new(), Random(seed), 0);
        for _ in 0..200 {
            let taken = scan.take(&frames.frame(random.below(2 * frames.parts()) as u64));
            let stream = scan.progress().streams[0];
            prop_assert!(stream.rank >= last && stream.rank <= stream.parts);
            prop_assert!(!matches!(taken, Taken::Ignored(_) | Taken::Broken(_)));
            last = stream.rank;
        }
    }

    #[test]
    fn any_text_is_taken(text in "\\PC{0,200}") {
        let _ = Scan::new().take(&text);
    }
}

/// Frames of every format to damage.
fn samples() -> Vec<Vec<String>> {
    let mut samples = Vec::new();
    for (format, len, version) in
        [(Format::Ur, 900, 6), (Format::Ur, 60, 9), (Format::Bbqr, 900, 6), (Format::Bbqr, 60, 9)]
    {
        let frames = shown(format, Kind::Psbt, &psbt(len, 1), version).unwrap();
        samples.push((0..2 * frames.parts() as u64).map(|number| frames.frame(number)).collect());
    }
    let text = data_encoding::BASE64.encode(&psbt(300, 2));
    let pieces = text.as_bytes().chunks(100).map(|piece| String::from_utf8(piece.to_vec()).unwrap());
    samples.push(pieces.enumerate().map(|(at, piece)| format!("p{}of5 {piece}", at + 1)).collect());
    samples.push(vec![text, data_encoding::HEXUPPER.encode(&psbt(100, 3)), "wpkh(xpub/<0;1>/*)".to_owned()]);
    samples.push(vec![
        "ur:crypto-output/taadmetaadmtoeadadaolftaaddloxaxhdclaxsbsgptsolkltkndsmskiaelfhhmdimcnmnlgutzotecpsfveylgrbdhptbpsveosaahdcxhnganelacwldjnlschnyfxjyplrllfdrplpswdnbuyctlpwyfmmhgsgtwsrymtldamtaaddyoeadlaaxaeattaaddyoyadlnadwkaewklawktaaddloxaxhdclaoztnnhtwtpslgndfnwpzedrlomnclchrdfsayntlplplojznslfjejecpptlgbgwdaahdcxwtmhnyzmpkkbvdpyvwutglbeahmktyuogusnjonththhdwpsfzvdfpdlcndlkensamtaaddyoeadlfaewkaocyrycmrnvwattaaddyoyadlnaewkaewklawktdbsfttn".to_owned(),
    ]);
    samples
}

/// Changes a text in one of a few ways; the check sum of a UR is made right again now and then, so that damage gets behind
/// it.
fn damaged(text: &str, random: &mut Random) -> String {
    let mut bytes = text.as_bytes().to_vec();
    if random.below(3) == 0 && text.to_ascii_lowercase().starts_with("ur:") {
        let (head, body) = text.rsplit_once('/').unwrap();
        let mut inner = ur::bytewords::decode(&body.to_lowercase(), ur::bytewords::Style::Minimal).unwrap();
        for _ in 0..=random.below(3) {
            let most = if random.below(2) == 0 { 20 } else { inner.len() };
            let at = random.below(inner.len().min(most));
            inner[at] = random.next() as u8;
        }
        return format!("{head}/{}", ur::bytewords::encode(&inner, ur::bytewords::Style::Minimal));
    }
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
        match random.below(6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, b"0AZaz$:/-@ \xc3"[random.below(12)]),
            2 if !bytes.is_empty() => drop(bytes.remove(at)),
            3 if !bytes.is_empty() => {
                bytes[at] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ$*+-./:az"[random.below(45)]
            }
            4 => bytes.extend_from_within(at..),
            _ if !bytes.is_empty() => bytes[at] ^= 1 << random.below(7),
            _ => {}
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Five seconds (or as many as AIRLOCK_FUZZ_SECONDS says) of damaged frames among good ones. Whatever joins under a check
/// sum is what was sent: damage never makes another payload of it.
#[test]
fn damaged_frames_neither_panic_nor_make_another_payload() {
    let seconds = std::env::var("AIRLOCK_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(5);
    let (begun, samples) = (Instant::now(), samples());
    let (mut frames, mut joined, mut seed) = (0_u64, 0_u64, 0);
    while begun.elapsed() < Duration::from_secs(seconds) {
        seed += 1;
        let mut random = Random(seed);
        let mut scan = Scan::new();
        for _ in 0..60 {
            let sample = &samples[random.below(samples.len())];
            let text = &sample[random.below(sample.len())];
            let text = if random.below(2) == 0 { damaged(text, &mut random) } else { text.clone() };
            frames += 1;
            match scan.take(&text) {
                Taken::Joined(payload) => {
                    joined += 1;
                    let sent = [psbt(900, 1), psbt(60, 1)].contains(&payload.bytes);
                    assert!(payload.integrity != Integrity::Crc32 || sent, "seed {seed}: {payload:?}");
                }
                Taken::New | Taken::Nothing | Taken::Ignored(_) | Taken::Broken(_) => {}
            }
            if random.below(50) == 0 {
                scan.interrupted();
            }
        }
        let _ = scan.progress();
        let _ = scan.unconfirmed();
    }
    eprintln!("{frames} frames, {joined} payloads");
    assert!(frames > 1_000 && joined > 10, "{frames} frames, {joined} payloads");
}

#[test]
fn the_largest_payloads_join() {
    // The most parts of the largest codes that UR has here, and of BBQr.
    for (format, len) in [(Format::Ur, 4_000_000), (Format::Bbqr, 3_200_000)] {
        let bytes = noise(len, 1);
        let frames = shown(format, Kind::Bytes, &bytes, 40).unwrap();
        let texts = (0..frames.parts() as u64).map(|number| frames.frame(number));
        assert_eq!(join(texts).unwrap().bytes, bytes, "{format}");
    }
}
