use super::*;
use crate::qr::payload::Kind;
use crate::qr::{Frames, Version};

fn noise(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..len).map(|_| next()).collect()
}

fn psbt(len: usize, seed: u32) -> Vec<u8> {
    [b"psbt\xff", noise(len, seed).as_slice()].concat()
}

fn frames(format: Format, bytes: &[u8]) -> Frames {
    Frames::new(format, Kind::Psbt, bytes, Version::new(10).unwrap()).unwrap()
}

/// The payload, and how many frames it took.
fn scan(scan: &mut Scan, texts: impl IntoIterator<Item = String>) -> Option<(usize, Payload)> {
    texts.into_iter().enumerate().find_map(|(number, text)| match scan.take(&text) {
        Taken::Joined(payload) => Some((number + 1, payload)),
        Taken::New | Taken::Nothing => None,
        other => panic!("{other:?}"),
    })
}

#[test]
fn a_payload_joins_from_any_frame_on() {
    let bytes = psbt(3_000, 1);
    for (format, integrity) in [(Format::Ur, Integrity::Crc32), (Format::Bbqr, Integrity::Repeated)] {
        let shown = frames(format, &bytes);
        for first in [0, 3, 500] {
            let texts = (first..first + 100).map(|number| shown.frame(number));
            let (taken, payload) = scan(&mut Scan::new(), texts).unwrap();
            assert!(taken <= 2 * shown.parts(), "{taken}");
            assert_eq!(payload, Payload { format, kind: Kind::Psbt, integrity, bytes: bytes.clone() });
        }
    }
}

#[test]
fn two_payloads_in_view_are_told_apart() {
    let (one, other) = (psbt(2_000, 1), psbt(2_500, 2));
    let (a, b) = (frames(Format::Ur, &one), frames(Format::Bbqr, &other));
    let mut scan = Scan::new();
    let mut joined = Vec::new();
    for number in 0..40 {
        for text in [a.frame(number), b.frame(number)] {
            if let Taken::Joined(payload) = scan.take(&text) {
                joined.push(payload.bytes);
            }
        }
        if number == 2 {
            assert_eq!(scan.progress().diagnosis, Some(Diagnosis::SeveralStreams(2)));
        }
    }
    joined.sort();
    let mut expected = vec![one, other];
    expected.sort();
    assert_eq!(joined, expected);
    assert!(
        scan.progress()
            .streams
            .iter()
            .all(|stream| stream.state == State::Joined && stream.rank == stream.parts)
    );
}

#[test]
fn two_bbqr_payloads_with_one_header_are_never_joined() {
    let (a, b) = (frames(Format::Bbqr, &psbt(2_000, 1)), frames(Format::Bbqr, &psbt(2_000, 2)));
    assert_eq!(a.frame(0)[..8], b.frame(0)[..8]);
    let mut scan = Scan::new();
    let broken = (0..60).any(|number| match scan.take(&[&a, &b][number % 2].frame(number as u64)) {
        Taken::Broken(fault) => matches!(fault, Fault::Contradiction(_)),
        Taken::Joined(payload) => panic!("{payload:?}"),
        Taken::New | Taken::Nothing | Taken::Ignored(_) => false,
    });
    assert!(broken);
    assert_eq!(scan.progress().diagnosis, Some(Diagnosis::Contradiction));
    // Nor later, when only one of them is left.
    assert!((0..60).all(|number| scan.take(&a.frame(number)) == Taken::Nothing));
    // A new scan reads it.
    assert!(super::tests::scan(&mut Scan::new(), (0..60).map(|number| a.frame(number))).is_some());
}

#[test]
fn progress_is_counted_honestly() {
    let shown = frames(Format::Ur, &psbt(3_000, 1));
    let mut scan = Scan::new();
    let _ = scan.take(&shown.frame(0));
    let _ = scan.take(&shown.frame(0));
    let _ = scan.take("https://example.org");
    let _ = scan.take("ur:bytes/aeadaolazmjendeowf");
    let _ = scan.take(&shown.frame(4).to_lowercase());
    let progress = scan.progress();
    assert_eq!((progress.frames, progress.new, progress.duplicates), (5, 2, 1));
    assert_eq!((progress.foreign, progress.faulty, progress.diagnosis), (1, 1, None));
    let [stream] = progress.streams[..] else { panic!("{progress:?}") };
    assert_eq!((stream.rank, stream.parts, stream.frames), (2, shown.parts(), 3));
    assert_eq!((stream.format, stream.kind, stream.state), (Format::Ur, Kind::Psbt, State::Joining));
}

#[test]
fn only_foreign_codes_in_view_are_named() {
    let mut scan = Scan::new();
    for number in 0..40 {
        let _ = scan.take(&format!("https://example.org/{number}"));
    }
    assert_eq!(scan.progress().diagnosis, Some(Diagnosis::OnlyForeign));
}

#[test]
fn an_interrupted_scan_goes_on() {
    let bytes = psbt(3_000, 1);
    let shown = frames(Format::Ur, &bytes);
    let mut scan = Scan::new();
    let half = shown.parts() as u64 / 2;
    (0..half).for_each(|number| assert_eq!(scan.take(&shown.frame(number)), Taken::New));
    scan.interrupted();
    let rest = super::tests::scan(&mut scan, (half..).map(|number| shown.frame(number))).unwrap();
    assert_eq!((rest.0 as u64, rest.1.bytes), (shown.parts() as u64 - half, bytes));
}

#[test]
fn after_an_interruption_bbqr_waits_for_a_part_that_it_knows() {
    let bytes = psbt(2_000, 1);
    let shown = frames(Format::Bbqr, &bytes);
    let mut scan = Scan::new();
    assert_eq!(scan.take(&shown.frame(0)), Taken::New);
    scan.interrupted();
    (1..shown.parts() as u64).for_each(|number| assert_eq!(scan.take(&shown.frame(number)), Taken::New));
    assert_eq!(scan.progress().streams[0].state, State::Joining);
    assert_eq!(scan.unconfirmed(), None);
    assert_eq!(scan.take(&shown.frame(0)), Taken::New);
    assert_eq!(scan.progress().streams[0].state, State::Confirming);
    let rest = super::tests::scan(&mut scan, (1..20).map(|number| shown.frame(number))).unwrap();
    assert_eq!((rest.0, rest.1.bytes), (8, bytes));
}

#[test]
fn another_payload_after_an_interruption_does_not_complete_the_first() {
    let (a, b) = (frames(Format::Bbqr, &psbt(2_000, 1)), frames(Format::Bbqr, &psbt(2_000, 2)));
    let mut scan = Scan::new();
    assert_eq!(scan.take(&a.frame(0)), Taken::New);
    scan.interrupted();
    (1..a.parts() as u64).for_each(|number| assert_eq!(scan.take(&b.frame(number)), Taken::New));
    assert!(matches!(scan.take(&b.frame(0)), Taken::Broken(Fault::Contradiction(1))));
}

#[test]
fn a_ur_stream_that_was_poisoned_is_collected_anew() {
    let bytes = psbt(1_500, 1);
    let shown = frames(Format::Ur, &bytes);
    let liar = {
        // Another message whose parts say that they are of the first one.
        let mut part = match ur::parse(&shown.frame(0)) {
            Some(Ok(ur::Frame::Part(ty, part))) => (ty, part),
            other => panic!("{other:?}"),
        };
        part.1.flip();
        part.1.text(part.0)
    };
    let mut scan = Scan::new();
    assert_eq!(scan.take(&liar), Taken::New);
    let faults: Vec<Taken> = (1..)
        .map(|number| scan.take(&shown.frame(number)))
        .take_while(|taken| !matches!(taken, Taken::Joined(_)))
        .filter(|taken| !matches!(taken, Taken::New | Taken::Nothing))
        .collect();
    assert!(matches!(faults[..], [Taken::Broken(Fault::Checksum { .. })]), "{faults:?}");
}

#[test]
fn single_codes_of_every_format_are_read_once() {
    let hex = "70736274ff0102";
    for (text, format) in [
        (hex.to_owned(), Format::Hex),
        ("cHNidP8BAg==".to_owned(), Format::Base64),
        ("p1of1 cHNidP8BAg==".to_owned(), Format::Specter),
        (format!("B$HP0100{}", hex.to_uppercase()), Format::Bbqr),
        (frames(Format::Ur, b"psbt\xff\x01\x02").frame(0), Format::Ur),
    ] {
        let mut scan = Scan::new();
        let Taken::Joined(payload) = scan.take(&text) else { panic!("{text}") };
        assert_eq!((payload.format, payload.integrity), (format, Integrity::Single));
        assert_eq!(payload.bytes, b"psbt\xff\x01\x02");
        assert_eq!(scan.take(&text), Taken::Nothing);
    }
}

#[test]
fn the_parts_of_specter_join() {
    let mut scan = Scan::new();
    assert_eq!(scan.take("p2of2 AQI="), Taken::New);
    assert_eq!(scan.take("p1of2 cHNidP8B"), Taken::New);
    assert_eq!(scan.take("p1of2 cHNidP8B"), Taken::New);
    let Taken::Joined(payload) = scan.take("p2of2 AQI=") else { panic!() };
    assert_eq!((payload.format, payload.bytes), (Format::Specter, b"psbt\xff\x01\x01\x02".to_vec()));
}

#[test]
fn no_more_than_eight_payloads_are_kept() {
    let mut scan = Scan::new();
    let shown: Vec<Frames> = (0..20).map(|seed| frames(Format::Ur, &psbt(1_500, seed))).collect();
    for round in 0..3 {
        shown.iter().for_each(|shown| assert!(scan.take(&shown.frame(round)) == Taken::New));
        assert_eq!(scan.progress().streams.len(), MAX_STREAMS);
    }
}

#[test]
fn what_is_kept_stays_below_the_limit() {
    let mut scan = Scan::new();
    let piece = "A".repeat(7_070);
    for parts in [4_090, 4_091, 4_092] {
        for number in 1..4_000 {
            let _ = scan.take(&format!("p{number}of{parts} {piece}"));
        }
        assert!(scan.streams.iter().map(Stream::memory).sum::<usize>() <= MAX_MEMORY);
    }
    assert_eq!(scan.streams.len(), 1);
}

#[test]
fn when_no_frames_follow_parts_that_were_seen_once_are_handed_out_as_such() {
    let bytes = psbt(2_000, 1);
    let shown = frames(Format::Bbqr, &bytes);
    let mut scan = Scan::new();
    (0..shown.parts() as u64).for_each(|number| assert_eq!(scan.take(&shown.frame(number)), Taken::New));
    let payload = scan.unconfirmed().unwrap().unwrap();
    assert_eq!((payload.integrity, payload.bytes), (Integrity::Unchecked, bytes));
    assert_eq!(scan.unconfirmed(), None);
}

#[test]
fn two_bbqr_payloads_that_fill_each_other_s_gaps_are_not_joined() {
    // An odd count of parts, and every other frame of the other payload: the first round contradicts nowhere.
    let (a, b) = (frames(Format::Bbqr, &psbt(2_100, 1)), frames(Format::Bbqr, &psbt(2_100, 2)));
    assert_eq!(a.parts() % 2, 1);
    let mut scan = Scan::new();
    let parts = a.parts() as u64;
    (0..parts).for_each(|number| {
        assert_eq!(scan.take(&[&a, &b][number as usize % 2].frame(number)), Taken::New);
    });
    assert!(matches!(scan.take(&b.frame(parts)), Taken::Broken(Fault::Contradiction(1))));
}

#[test]
fn a_payload_that_follows_another_with_the_same_header_does_not_complete_it() {
    let (a, b) = (frames(Format::Bbqr, &psbt(2_100, 1)), frames(Format::Bbqr, &psbt(2_100, 2)));
    let parts = a.parts() as u64;
    for switch in 1..parts {
        let mut scan = Scan::new();
        (0..switch).for_each(|number| assert_eq!(scan.take(&a.frame(number)), Taken::New));
        (switch..parts).for_each(|number| assert_eq!(scan.take(&b.frame(number)), Taken::New));
        assert!(matches!(scan.take(&b.frame(0)), Taken::Broken(Fault::Contradiction(1))), "{switch}");
    }
}

#[test]
fn content_that_is_wrong_is_no_contradiction() {
    let mut scan = Scan::new();
    assert!(matches!(scan.take("B$HP0100AABB"), Taken::Broken(Fault::Content { .. })));
    let progress = scan.progress();
    assert_eq!((progress.diagnosis, progress.faulty, progress.streams[0].state), (None, 1, State::Broken));
}
