//! The child that decodes, attacked from outside: what it may do, and what it answers to orders that no scanner gives.

use super::PROGRAM;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

struct Decoder {
    child: Child,
    socket: UnixStream,
}

impl Decoder {
    /// Started as the scanner starts it, and greeted.
    fn started() -> Self {
        let (mut socket, other) = UnixStream::pair().unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let child = Command::new(PROGRAM)
            .arg("__scanner")
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(other)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut greeting = [0; 5];
        socket.read_exact(&mut greeting).unwrap();
        assert_eq!(&greeting, b"R\0\0\0\0");
        Self { child, socket }
    }

    fn of(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap_or_default()
    }

    /// What it answers until it ends or has said that it is done, and how it ended.
    fn told(mut self, order: &[u8]) -> (Vec<u8>, ExitStatus) {
        // It may not take all of it.
        let _ = self.socket.write_all(order);
        let _ = self.socket.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = self.socket.read_to_end(&mut answer);
        (answer, self.child.wait().unwrap())
    }
}

fn order(letter: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    [&[letter][..], &(body.len() as u32).to_be_bytes(), &body].concat()
}

#[test]
fn every_control_is_on_before_the_first_order() {
    let mut decoder = Decoder::started();
    let limits = decoder.of("limits");
    let limit = |name: &str| -> Vec<String> {
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().take(2).map(str::to_owned).collect()
    };
    for (name, most) in [
        ("Max open files", "0"),
        ("Max file size", "0"),
        ("Max core file size", "0"),
        ("Max address space", "268435456"),
        ("Max cpu time", "600"),
    ] {
        assert_eq!(limit(name), [most, most], "{name}");
    }
    let status = decoder.of("status");
    let field =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    assert_eq!(field("NoNewPrivs:"), "1");
    assert_eq!(field("Seccomp:"), "2");
    assert_eq!(field("Threads:"), "1");
    for set in ["CapPrm:", "CapEff:", "CapInh:"] {
        assert_eq!(u64::from_str_radix(&field(set), 16), Ok(0), "{set}");
    }
    let open = std::fs::read_dir(format!("/proc/{}/fd", decoder.child.id()));
    // Where it cannot be looked at any more, it is undumpable.
    if let Ok(open) = open {
        let mut names: Vec<_> = open.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["0", "1", "2"]);
    }
    drop(decoder.socket);
    assert_eq!(decoder.child.wait().unwrap().code(), Some(1));
}

#[test]
fn it_ends_with_the_process_that_started_it() {
    // A shell that starts it and is killed.
    let mut shell = Command::new("sh")
        .args(["-c", "\"$0\" __scanner < /dev/zero & echo $!; wait", PROGRAM])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut number = [0; 16];
    let count = shell.stdout.as_mut().unwrap().read(&mut number).unwrap();
    let number = String::from_utf8_lossy(&number[..count]).trim().to_owned();
    shell.kill().unwrap();
    shell.wait().unwrap();
    let begun = Instant::now();
    while std::fs::read_to_string(format!("/proc/{number}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(begun.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn an_order_that_is_none_ends_it() {
    let long = [b'P', 0xff, 0xff, 0xff, 0xff];
    for bytes in [
        &b""[..],
        b"P",
        b"Z\0\0\0\0",
        b"P\0\0\0\0",
        b"P\0\0\0\x03abc",
        b"L\0\0\0\x07abcdefg",
        b"E\0\0\0\x01a",
        b"P\0\0\0\x09abcdef",
        &long,
        b"T\0\0\0\x01\xff",
    ] {
        let (answer, status) = Decoder::started().told(bytes);
        assert_eq!((answer.len(), status.code()), (0, Some(1)), "{bytes:?}");
    }
}

#[test]
fn frames_whose_pixels_are_not_those_they_should_be_are_not_read() {
    let side = |length: u32| length.to_be_bytes();
    for (width, height, pixels) in
        [(0, 0, 0), (4, 0, 0), (2, 2, 3), (2, 2, 5), (65_536, 65_536, 0), (u32::MAX, u32::MAX, 1)]
    {
        let frame = order(b'L', &[&side(width), &side(height), &vec![0; pixels]]);
        let (answer, status) = Decoder::started().told(&[frame, order(b'E', &[])].concat());
        assert_eq!(answer.first(), Some(&b'U'), "{width}x{height}");
        assert!(answer.ends_with(b"D\0\0\0\0D\0\0\0\0"));
        assert_eq!((status.code(), status.signal()), (Some(0), None));
    }
}
