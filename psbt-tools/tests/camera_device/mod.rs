//! A camera that is not there, for programs that are started with it: see `fake.c`.
#![allow(dead_code, reason = "not every test that has a camera lies with it")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where programs find it.
pub const DEVICE: &str = "/dev/video77";

/// What it offers, shows, and lies about.
pub struct FakeCamera {
    folder: tempfile::TempDir,
    library: &'static Path,
    pub offers: &'static str,
    pub gap: u32,
    pub lie: &'static str,
}

impl FakeCamera {
    /// One that shows these frames again and again: brightness row by row, or JPEG. `None`, said as skipped, where there is
    /// no C compiler.
    pub fn new(offers: &'static str, frames: &[Vec<u8>]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = Vec::new();
        for frame in frames {
            bytes.extend(u32::try_from(frame.len()).unwrap().to_le_bytes());
            bytes.extend(frame);
        }
        std::fs::write(folder.path().join("frames"), bytes).unwrap();
        Some(Self { folder, library: library()?, offers, gap: 0, lie: "" })
    }

    /// Puts it before a program.
    pub fn plug_in<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command
            .env("LD_PRELOAD", self.library)
            .env("FAKE_CAMERA", DEVICE)
            .env("FAKE_CAMERA_OFFERS", self.offers)
            .env("FAKE_CAMERA_FRAMES", self.folder.path().join("frames"))
            .env("FAKE_CAMERA_GAP", self.gap.to_string())
            .env("FAKE_CAMERA_LIE", self.lie)
            .env("FAKE_CAMERA_LOG", self.folder.path().join("log"))
    }

    /// Whether its stream was begun and ended.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

/// The library, built once for a test program.
fn library() -> Option<&'static Path> {
    static LIBRARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    let build = || {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let library = folder.join(format!("fake-camera-{}.so", std::process::id()));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../psbt-tools/tests/camera_device/fake.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-std=gnu11", "-shared", "-fPIC", source, "-ldl", "-o"]).arg(&library);
        match compiler.output() {
            Ok(output) if output.status.success() => Some(library),
            Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
            Err(error) => {
                eprintln!("skipped: no C compiler for a camera that is not there: {error}");
                None
            }
        }
    };
    LIBRARY.get_or_init(build).as_deref()
}
