//! Texts that are no frame, or a broken one.

use crate::Streams;
use crate::frames::{bbqr, head, part, ur_body, ur_part};
use crate::qr_data::noise;
use data_encoding::BASE64;

pub fn broken_texts(streams: &mut Streams) {
    for text in [
        "",
        " ",
        "hello",
        "http://example.org/?ur:bytes",
        "p1of",
        "of",
        "B",
        "\u{0}",
        "\u{202e}\u{feff}",
        "ur",
    ] {
        streams.fault(format!("{text:?}"), vec![text.to_owned()], "foreign");
    }
    for text in
        ["ur:", "ur:/", "ur://", "ur:bytes", "ur:bytes/", "ur:bytes//", "ur:bytes/1-1/", "ur:bytes/1-1/ae/ae"]
    {
        streams.fault(text, vec![text.to_owned()], "form");
    }
    for text in [
        "ur:bytes/é",
        "ur:b\u{fc}tes/ae",
        "ur:bytes/aeé",
        "ur:bytes/1-1/\u{1f4a3}",
        "UR:BYTES/A",
        "ur:bytes/ae ae",
    ] {
        streams.fault(text, vec![text.to_owned()], "form");
    }
    let good = ur_part(3, 10, 100, 1, &[7; 10]);
    for sequence in ["4-10", "3-11", "03-10", "3-010", "+3-10", "3", "3-10-", "-", "3-", "3_10", "\u{663}-10"]
    {
        let text = good.replace("3-10", sequence);
        streams.fault(format!("UR that says {sequence} outside"), vec![text], "sequence");
    }
    let body = part(3, 10, 100, 1, &[7; 10]);
    for (what, body) in [
        ("no array", head(0, 5)),
        ("four items", [&[0x84][..], &body[1..]].concat()),
        ("six items", [&[0x86][..], &body[1..], &[0]].concat()),
        ("something behind", [&body[..], &[0]].concat()),
        ("its end missing", body[..body.len() - 1].to_vec()),
        ("an endless array", [&[0x9f][..], &body[1..], &[0xff]].concat()),
        ("an array with a long head", [&[0x98, 5][..], &body[1..]].concat()),
        ("a number with a long head", [&[0x85, 0x18, 3][..], &body[2..]].concat()),
        ("a negative number", [&[0x85, 0x22][..], &body[2..]].concat()),
        ("text for a number", [&[0x85, 0x61, 0x33][..], &body[2..]].concat()),
        ("a float for a number", [&[0x85, 0xf9, 0x42, 0][..], &body[2..]].concat()),
        ("a tagged number", [&[0x85, 0xc1, 3][..], &body[2..]].concat()),
        ("text for data", [part(3, 10, 100, 1, &[]).split_last().unwrap().1, &[0x61, 0x37]].concat()),
        ("endless data", [part(3, 10, 100, 1, &[]).split_last().unwrap().1, &[0x5f, 0x41, 7, 0xff]].concat()),
        (
            "data that claims all memory",
            [part(3, 10, 100, 1, &[]).split_last().unwrap().1, &head(2, u64::MAX)].concat(),
        ),
        ("an array that claims all memory", head(4, u64::MAX)),
        ("a map that claims all memory", head(5, u64::MAX)),
        ("arrays in arrays", vec![0x81; 1_000]),
        ("tags on tags", vec![0xc1; 1_000]),
        ("maps in maps", [0xa1, 0].repeat(500)),
        ("a break", vec![0xff]),
        ("a reserved head", vec![0x1c]),
    ] {
        streams.fault(format!("UR part with {what}"), vec![ur_body("bytes/3-10", &body)], "form");
    }
    for from in [13, 20, 30, 40] {
        let (mut text, other) = (good.clone(), if good[from..].starts_with("ae") { "zs" } else { "ae" });
        let from = from + (from + good.rfind('/').unwrap() + 1) % 2;
        text.replace_range(from..from + 2, other);
        if text != good {
            streams.fault(format!("UR with another byte at {from}"), vec![text], "frame checksum");
        }
    }
    for ty in ["crypto-seed", "seed", "crypto-eckey", "crypto-request", "x", "byte", "bytes-", "envelope"] {
        streams.fault(format!("UR of type {ty}"), vec![ur_body(ty, &[0x41, 7])], "type");
    }
    streams.fault("UR of a type without end", vec![format!("ur:{}/aeae", "a".repeat(5_000))], "type");
    for text in [
        "B$",
        "B$H",
        "B$HP010",
        "B$XP0100AA",
        "B$hP0100AA",
        "B$HP0100",
        "B$HP0100A",
        "B$HP0100aa",
        "B$HP0100GG",
    ] {
        streams.fault(text, vec![text.to_owned()], "form");
    }
    for text in [
        "B$2P01001",
        "B$2P0100A",
        "B$2P0100AAA",
        "B$2P010000",
        "B$2P0100AB======",
        "B$2P0100AZ",
        "B$ZP0100A A",
    ] {
        streams.fault(text, vec![text.to_owned()], "form");
    }
    for text in
        ["B$HP-100AA", "B$HP01-1AA", "B$HPaa00AA", "B$HP0 00AA", "B$HP\u{e9}00AA", "B$\u{1f4a3}0100AA"]
    {
        streams.fault(text, vec![text.to_owned()], "form");
    }
    for ty in ['X', 'R', 'S', 'E', 'A', 'p', '0', '$'] {
        streams.fault(format!("BBQr of type {ty}"), vec![bbqr('H', ty, "0100", &[1])], "type");
    }
    for text in
        ["b$HP0100AA", "B\u{ff04}HP0100AA", "P1OF1 CHNI", "p1of1", "p1of2\u{a0}cHNi", "p-1of2 x", "p1 of 2 x"]
    {
        streams.fault(text, vec![text.to_owned()], "foreign");
    }
    for chars in [7_090, 10_000, 1_000_000] {
        for start in ["ur:bytes/", "B$HP0100", "p1of1 ", "A"] {
            let text = format!("{start}{}", "A".repeat(chars - start.len()));
            streams.fault(format!("{start} of {chars} characters"), vec![text], "frame too long");
        }
    }
    for text in [
        "0",
        "00",
        "ff".repeat(3_000).as_str(),
        "A".repeat(7_089).as_str(),
        ":".repeat(7_089).as_str(),
        "====",
    ] {
        streams.fault(format!("{} characters of no PSBT", text.len()), vec![text.to_owned()], "foreign");
    }
    streams.fault("base64 of something else", vec![BASE64.encode(&noise(500, 1))], "foreign");
}
