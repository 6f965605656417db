//! The specification's own vectors, all of them: those of `bc-ur`'s tests.

use super::bytewords;
use super::content::Type;
use super::degree::{Sampler, below};
use super::encoder::Encoder;
use super::equations::{Equations, Told};
use super::fountain::{Fountain, drawn};
use super::frame::{Frame, parse, write};
use super::joiner::{Header, Joiner};
use super::part::Part;
use super::xoshiro::Xoshiro;
use data_encoding::HEXLOWER;
use serde_json::Value;

/// The vectors' file; `None`, said on standard error, where it is absent.
fn vectors() -> Option<Value> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors");
    let folder = std::env::var("AIRLOCK_VECTORS").unwrap_or_else(|_| beside.to_owned());
    let Ok(text) = std::fs::read_to_string(std::path::Path::new(&folder).join("ur_tests.json")) else {
        eprintln!("skipped: ur_tests.json is not there; AIRLOCK_VECTORS names the folder of public vectors");
        return None;
    };
    Some(serde_json::from_str(&text).unwrap())
}

fn strings<'a>(vectors: &'a Value, test: &str) -> Vec<&'a str> {
    vectors[test]["strings"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

fn numbers(vectors: &Value, test: &str, list: usize) -> Vec<usize> {
    let list = vectors[test]["number_lists"][list].as_array().unwrap();
    list.iter().map(|number| number.as_u64().unwrap() as usize).collect()
}

/// The vectors' messages.
fn message(len: usize) -> Vec<u8> {
    random_bytes(&mut Xoshiro::seeded(b"Wolf"), len)
}

fn random_bytes(random: &mut Xoshiro, len: usize) -> Vec<u8> {
    (0..len).map(|_| below(256, random) as u8).collect()
}

fn byte_string(len: usize) -> Vec<u8> {
    super::cbor::byte_string(&message(len))
}

/// The shortest equal fragments of the fewest parts that are no longer than `most`.
fn nominal(len: usize, most: usize) -> usize {
    len.div_ceil(len.div_ceil(most))
}

fn encoder(message: Vec<u8>, most: usize) -> Encoder {
    let len = nominal(message.len(), most);
    Encoder::with_fragments(Type::Bytes, message, len).unwrap()
}

#[test]
fn check_sums_and_bytewords_are_the_specification_s() {
    let Some(vectors) = vectors() else { return };
    for pair in strings(&vectors, "test_crc32").chunks(2) {
        assert_eq!(format!("{:08x}", crc32fast::hash(pair[0].as_bytes())), pair[1]);
    }
    // Only the minimal form is ours; the words are checked through it.
    let minimal = |words: &str| -> String {
        words
            .split([' ', '-'])
            .flat_map(|word| [word.chars().next(), word.chars().last()])
            .flatten()
            .collect()
    };
    let first = strings(&vectors, "test_bytewords_1");
    let bytes: Vec<u8> = numbers(&vectors, "test_bytewords_1", 0).iter().map(|byte| *byte as u8).collect();
    for text in &first[..6] {
        let text = if text.contains([' ', '-']) { minimal(text) } else { (*text).to_owned() };
        assert_eq!(bytewords::encode(&bytes), text.to_uppercase());
        assert_eq!(bytewords::decode(&text), Ok(bytes.clone()));
    }
    for text in &first[6..] {
        let text = if text.contains([' ', '-']) { minimal(text) } else { (*text).to_owned() };
        assert!(bytewords::decode(&text).is_err(), "{text}");
    }
    let second = strings(&vectors, "test_bytewords_2");
    let bytes: Vec<u8> = numbers(&vectors, "test_bytewords_2", 0).iter().map(|byte| *byte as u8).collect();
    assert_eq!(bytewords::encode(&bytes), second[1].to_uppercase());
    assert_eq!(minimal(second[0]), second[1]);
    assert_eq!(bytewords::decode(second[1]), Ok(bytes));
}

#[test]
fn random_numbers_are_the_specification_s() {
    let Some(vectors) = vectors() else { return };
    let hundred =
        |mut random: Xoshiro| -> Vec<usize> { (0..100).map(|_| (random.next() % 100) as usize).collect() };
    assert_eq!(hundred(Xoshiro::seeded(b"Wolf")), numbers(&vectors, "test_rng_1", 0));
    let seed = crc32fast::hash(b"Wolf").to_be_bytes();
    assert_eq!(hundred(Xoshiro::seeded(&seed)), numbers(&vectors, "test_rng_2", 0));
    let mut random = Xoshiro::seeded(b"Wolf");
    let ten: Vec<usize> = (0..100).map(|_| below(10, &mut random) + 1).collect();
    assert_eq!(ten, numbers(&vectors, "test_rng_3", 0));
    let weights: Vec<f64> =
        numbers(&vectors, "test_random_sampler", 0).iter().map(|weight| *weight as f64).collect();
    let (sampler, mut random) = (Sampler::new(&weights), Xoshiro::seeded(b"Wolf"));
    let samples: Vec<usize> = (0..500).map(|_| sampler.next(&mut random)).collect();
    assert_eq!(samples, numbers(&vectors, "test_random_sampler", 1));
}

#[test]
fn fragments_are_chosen_as_the_specification_does() {
    let Some(vectors) = vectors() else { return };
    let values = numbers(&vectors, "test_shuffle", 0);
    let mut random = Xoshiro::seeded(b"Wolf");
    for list in 1..=10 {
        let shuffled: Vec<usize> =
            drawn(10, 10, &mut random).into_iter().map(|place| values[place]).collect();
        assert_eq!(shuffled, numbers(&vectors, "test_shuffle", list), "{list}");
    }
    let parts = 1024_usize.div_ceil(nominal(1024, 100));
    let sampler = Sampler::of_degrees(parts);
    let degrees: Vec<usize> = (1..=200)
        .map(|nonce| sampler.next(&mut Xoshiro::seeded(format!("Wolf-{nonce}").as_bytes())) + 1)
        .collect();
    assert_eq!(degrees, numbers(&vectors, "test_choose_degree", 0));
    let fountain = Fountain::new(parts, crc32fast::hash(&message(1024)));
    for number in 1..=30 {
        let mut fragments = fountain.fragments(number);
        fragments.sort_unstable();
        assert_eq!(fragments, numbers(&vectors, "test_choose_fragments", number as usize - 1), "{number}");
    }
}

#[test]
fn messages_are_cut_as_the_specification_does() {
    let Some(vectors) = vectors() else { return };
    assert_eq!((nominal(12_345, 1_955), nominal(12_345, 30_000)), (1_764, 12_345));
    let expected = strings(&vectors, "test_partition_and_join");
    let encoder = encoder(message(1024), 100);
    let fragments: Vec<String> = (1..12).map(|number| HEXLOWER.encode(&encoder.part(number).data)).collect();
    assert_eq!(fragments, expected);
    let mut equations = Equations::new(11, 94);
    for number in 0..11 {
        assert_eq!(equations.add(&[number], &encoder.part(number as u32 + 1).data), Told::New);
    }
    assert_eq!(equations.solution().unwrap()[..1024], message(1024));
}

#[test]
fn fragments_add_up_as_the_specification_says() {
    let Some(vectors) = vectors() else { return };
    let expected = &strings(&vectors, "test_xor")[1..];
    let mut random = Xoshiro::seeded(b"Wolf");
    let (one, other) = (random_bytes(&mut random, 10), random_bytes(&mut random, 10));
    let sum: Vec<u8> = one.iter().zip(&other).map(|(a, b)| a ^ b).collect();
    assert_eq!([&one, &other, &sum].map(|bytes| HEXLOWER.encode(bytes)), expected);
    // The sum and one of the two give the other.
    let mut equations = Equations::new(2, 10);
    equations.add(&[0, 1], &sum);
    equations.add(&[1], &other);
    assert_eq!(equations.solution(), Some([one, other].concat()));
}

#[test]
fn parts_are_the_specification_s() {
    let Some(vectors) = vectors() else { return };
    let (described, cbor) =
        (strings(&vectors, "test_fountain_encoder"), strings(&vectors, "test_fountain_encoder_cbor"));
    let encoder_of_raw = encoder(message(256), 30);
    assert_eq!((described.len(), cbor.len(), encoder_of_raw.parts()), (20, 20, 9));
    for (number, (described, cbor)) in described.into_iter().zip(cbor).enumerate() {
        let part = encoder_of_raw.part(number as u32 + 1);
        let (data, Part { number, parts, message_len, checksum, .. }) = (HEXLOWER.encode(&part.data), &part);
        let text = format!(
            "seqNum:{number}, seqLen:{parts}, messageLen:{message_len}, checksum:{checksum}, data:{data}"
        );
        assert_eq!((text.as_str(), HEXLOWER.encode(&part.write()).as_str()), (described, cbor));
        assert_eq!(Part::read(&HEXLOWER.decode(cbor.as_bytes()).unwrap()), Ok(part));
    }
    // Its fields do not fit together (eight fragments of five bytes are no message of 100): it is written, not read.
    let data = numbers(&vectors, "test_fountain_cbor", 0).iter().map(|byte| *byte as u8).collect();
    let part = Part { number: 12, parts: 8, message_len: 100, checksum: 0x1234_5678, data };
    assert_eq!(HEXLOWER.encode(&part.write()), "850c0818641a12345678450105030305");
    assert!(Part::read(&part.write()).is_err());
}

#[test]
fn frames_are_the_specification_s() {
    let Some(vectors) = vectors() else { return };
    let [single] = strings(&vectors, "test_single_part_ur")[..] else { panic!() };
    assert_eq!(parse(single), Some(Ok(Frame::Whole(Type::Bytes, byte_string(50)))));
    assert_eq!(encoder(byte_string(50), 100).frame(0), single.to_uppercase());
    let encoder = encoder(byte_string(256), 30);
    let expected = strings(&vectors, "test_ur_encoder");
    assert_eq!(expected.len(), 20);
    for (number, expected) in expected.into_iter().enumerate() {
        let part = encoder.part(number as u32 + 1);
        assert_eq!(write(Type::Bytes, &part), expected.to_uppercase());
        assert_eq!(parse(expected), Some(Ok(Frame::Part(Type::Bytes, part))));
    }
}

/// `test_fountain_decoder`, `test_fountain_encoder_is_complete` and `test_multipart_ur` have no strings of their own.
#[test]
fn the_specification_s_messages_join() {
    for (message, first) in [(message(32_767), 100), (byte_string(32_767), 100), (message(256), 1)] {
        let encoder = encoder(message.clone(), 1000);
        let mut joiner = Joiner::new(Header::of(Type::Bytes, &encoder.part(1)));
        let whole = (first..first + 200).find_map(|number| {
            joiner.add(&encoder.part(number)).unwrap();
            joiner.message().unwrap()
        });
        assert_eq!(whole, Some(message));
    }
}
