//! Payloads that are not what their frames say, and those that would grow without end.

use crate::frames::{bbqr, bbqr_parts, head, stored, ur_body};
use crate::qr_data::psbt;
use crate::{End, Streams, end};

pub fn wrong_content(streams: &mut Streams) {
    for (ty, message) in [
        ("crypto-psbt", vec![0x41, 7]),
        ("crypto-psbt", vec![0x01]),
        ("crypto-psbt", vec![0x45, b'p', b's', b'b', b't', 0xfe]),
        ("psbt", vec![0x40]),
        ("psbt", [vec![0xd9, 0x9d, 0x76, 0x46], b"psbt\xff\x01".to_vec()].concat()),
        ("bytes", vec![0x42, 7]),
        ("bytes", vec![0x41, 7, 7]),
        ("bytes", vec![0x5f, 0x41, 7, 0xff]),
        ("bytes", vec![0x58, 1, 7]),
        ("bytes", head(2, u64::MAX)),
        ("crypto-output", vec![0xa0]),
        ("crypto-output", [0xd9, 0x01, 0x90].repeat(500)),
        (
            "crypto-output",
            [vec![0xd9, 0x01, 0x91, 0xd9, 0x01, 0x96, 0xa2, 1, 1, 2], head(4, u64::MAX)].concat(),
        ),
        ("crypto-output", vec![0xd9, 0x01, 0x94, 0xd9, 0x01, 0x32, 0xa1, 2, 0xf5]),
        ("output-descriptor", vec![0xa0]),
        ("output-descriptor", vec![0xa1, 1, 0x62, b'@', b'0']),
        (
            "output-descriptor",
            [vec![0xa1, 1, 0x78, 30], b"@99999999999999999999999999999".to_vec(), vec![0]].concat(),
        ),
        ("output-descriptor", vec![0xa1, 1, 0x61, 0xff]),
        ("output-descriptor", vec![0xa2, 2, 0x80, 1, 0x61, b'x']),
        ("output-descriptor", vec![0xa2, 1, 0x61, b'x', 1, 0x61, b'y']),
        ("crypto-account", vec![0xa1, 1, 1]),
        ("crypto-account", [vec![0xa2, 1, 1, 2], head(4, u64::MAX)].concat()),
        ("account-descriptor", vec![0xa2, 1, 1, 2, 0x80]),
        ("crypto-hdkey", vec![0xa1, 1, 0xf5]),
        ("crypto-hdkey", [vec![0xa1, 3, 0x58, 33], vec![4; 33]].concat()),
        ("hdkey", [vec![0xa1, 3, 0x58, 32], vec![2; 32]].concat()),
    ] {
        streams.fault(format!("{ty} with {message:02x?}"), vec![ur_body(ty, &message)], "content");
    }
    let key = [vec![0xd9, 0x9d, 0x72, 0xa1, 3, 0x58, 33], vec![2; 33]].concat();
    let many = "@0".repeat(1_500);
    let bomb = [vec![0xa2, 1], head(3, 3_000), many.into_bytes(), vec![2, 0x81], key].concat();
    assert_eq!(end(&[ur_body("output-descriptor", &bomb)]), End::Payload(1_500 * 66));
    streams.fault("BBQr of a PSBT that is none", vec![bbqr('H', 'P', "0100", b"psbt\xfe")], "content");
    streams.fault(
        "BBQr of a transaction that is none",
        vec![bbqr('2', 'T', "0100", &[2, 0, 0, 0])],
        "content",
    );
    for ty in ['U', 'J'] {
        streams.fault(format!("BBQr {ty} that is no UTF-8"), vec![bbqr('2', ty, "0100", &[0xff])], "content");
    }
    streams.fault("Specter of something else", vec!["p1of1 hello".to_owned()], "content");
    streams.fault("Specter of broken base64", vec!["p1of1 cHNidP8B=g==".to_owned()], "content");
    let repeated = ["p1of2 cHNi", "p2of2 AAAA", "p1of2 cHNi", "p2of2 AAAA"].map(str::to_owned).to_vec();
    streams.fault("Specter of a PSBT that is none", repeated, "content");
}

pub fn bombs(streams: &mut Streams) {
    let deflate = |len: usize| -> Vec<u8> {
        let mut stream = zlib_rs::Deflate::new(9, false, 15);
        let mut bytes = vec![0; len / 500 + 1_000];
        stream.compress(&vec![0; len], &mut bytes, zlib_rs::DeflateFlush::Finish).unwrap();
        bytes.truncate(stream.total_out() as usize);
        bytes
    };
    for megabytes in [33, 40, 64, 256] {
        let frames = bbqr_parts('Z', 'B', &deflate(megabytes << 20), 1_000);
        streams.fault(format!("{megabytes} MB of nothing"), frames, "bomb");
    }
    streams.fault(
        "a bomb in one frame that is no PSBT",
        bbqr_parts('Z', 'P', &deflate(2 << 20), 4_000),
        "content",
    );
    let good = stored(&psbt(700, 1));
    for (what, bytes) in [
        ("cut short", good[..good.len() - 1].to_vec()),
        ("with something behind", [&good[..], &[0]].concat()),
        ("with a reserved block", vec![0xff; 50]),
        ("with a wrong length", [&[1, 5, 0, 0, 0][..], &[7; 5]].concat()),
        ("with a distance before its start", vec![0x4b, 0x04, 0x02, 0x00, 0x12]),
        ("of no end", vec![0x00]),
        ("with a zlib header", [&[0x78, 0x9c][..], &good].concat()),
        ("with a gzip header", [&[0x1f, 0x8b, 8, 0][..], &good].concat()),
    ] {
        streams.fault(format!("deflated bytes {what}"), bbqr_parts('Z', 'P', &bytes, 4_000), "deflate");
    }
}
