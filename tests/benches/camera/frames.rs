//! One row: the same frames for all decoders.

use super::readers;
use super::zbar;
use jpeg_encoder::{ColorType, Encoder};
use psbt_tools::qr::{Format, Frames, Kind, Version};
use psbt_tools::scanner::Luma;
use psbt_tools::show::Symbol;
use psbt_tools::simulation::{Conditions, Exposure, Scene, Screen, SimulatedCamera};
use rustix::time::{ClockId, clock_gettime};
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::time::Duration;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// A kind of frames.
pub struct Row {
    label: String,
    conditions: Conditions,
    size: (usize, usize),
    version: Version,
    spoilt: Spoilt,
}

enum Spoilt {
    No,
    Jpeg(u8),
    Torn,
    Blended,
}

/// A frame, and the texts that it shows.
pub struct Frame {
    pub luma: Luma,
    pub shown: Vec<String>,
}

/// What a decoder did with the frames of a row.
#[derive(Default)]
pub struct Score {
    pub read: u64,
    pub wrong: u64,
    pub crashed: u64,
    pub time: Duration,
}

impl Score {
    /// Counts what was read of a frame.
    pub fn count(&mut self, texts: &[String], frame: &Frame) {
        self.read += u64::from(texts.iter().any(|text| frame.shown.contains(text)));
        self.wrong += texts.iter().filter(|text| !frame.shown.contains(text)).count() as u64;
    }
}

impl Row {
    pub fn whole(label: String, conditions: Conditions, size: (usize, usize), version: u8) -> Self {
        let version = Version::new(version).unwrap();
        Self { label, conditions, size, version, spoilt: Spoilt::No }
    }

    pub fn compressed(self, quality: u8) -> Self {
        Self { spoilt: Spoilt::Jpeg(quality), ..self }
    }

    pub fn torn(self) -> Self {
        Self { spoilt: Spoilt::Torn, ..self }
    }

    pub fn blended(self) -> Self {
        Self { spoilt: Spoilt::Blended, ..self }
    }

    /// Prints the row; how many texts were wrong.
    pub fn print(&self, count: u64) -> u64 {
        let frames = self.frames(count);
        let mut scores: Vec<Option<Score>> = Vec::new();
        // Torn codes can make a decoder panic; in the product a child dies of it.
        let hook = take_hook();
        set_hook(Box::new(|_| {}));
        for mut reader in readers() {
            let mut score = Score::default();
            for frame in &frames {
                let begun = processor_time();
                let texts = catch_unwind(AssertUnwindSafe(|| reader.read(&frame.luma)));
                score.time += processor_time() - begun;
                score.crashed += u64::from(texts.is_err());
                score.count(&texts.unwrap_or_default(), frame);
            }
            scores.push(Some(score));
        }
        set_hook(hook);
        scores.push(zbar::score(&frames));
        let ours = scores.first().and_then(Option::as_ref).map(|score| score.time);
        print!("{:27}", self.label);
        for score in &scores {
            match score {
                None => print!("  {:>23}", "skipped"),
                Some(score) => {
                    let share = 100.0 * score.read as f64 / count as f64;
                    let speed = count as f64 / score.time.as_secs_f64();
                    let ratio = ours.map_or(0.0, |ours| score.time.as_secs_f64() / ours.as_secs_f64());
                    let bad = match (score.wrong, score.crashed) {
                        (0, 0) => String::new(),
                        (wrong, crashed) => format!("{wrong}w{crashed}c"),
                    };
                    print!("  {share:5.1}% {speed:5.0}/s {ratio:4.1}x {bad:>3}");
                }
            }
        }
        println!();
        // Only ours is ours to mend.
        scores.first().and_then(Option::as_ref).map_or(0, |score| score.wrong)
    }

    /// That many frames, which follow from the row.
    fn frames(&self, count: u64) -> Vec<Frame> {
        let seed =
            self.label.bytes().fold(7_u64, |seed, byte| seed.wrapping_mul(131).wrapping_add(byte.into()));
        let mut state = seed;
        let mut byte = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        let payload: Vec<u8> = (0..20_000).map(|_| byte()).collect();
        let texts = Frames::new(Format::Ur, Kind::Bytes, &payload, self.version).unwrap();
        let mut camera = SimulatedCamera::new(seed, self.conditions, self.size.0, self.size.1);
        let screen = |number: u64| {
            let text = texts.frame(number);
            (Screen::of(&Symbol::of(&text, self.version).unwrap()), text)
        };
        let frame = |number: u64| {
            let ((screen, text), (next, following)) = (screen(number), screen(number + 1));
            // Anywhere but at the very edges, where nothing would be torn.
            let percent = 10 + (number * 37 % 81) as u8;
            let (scene, shown) = match self.spoilt {
                Spoilt::No | Spoilt::Jpeg(_) => (Scene::Whole(&screen), vec![text]),
                Spoilt::Torn => {
                    (Scene::Torn { upper: &screen, lower: &next, at_percent: percent }, vec![text, following])
                }
                Spoilt::Blended => {
                    (Scene::Blended { one: &screen, other: &next, percent }, vec![text, following])
                }
            };
            let exposure = camera.expose(scene);
            let luma = match self.spoilt {
                Spoilt::Jpeg(quality) => compressed(&exposure, quality),
                Spoilt::No | Spoilt::Torn | Spoilt::Blended => {
                    Luma::new(exposure.width, exposure.height, exposure.pixels).unwrap()
                }
            };
            Frame { luma, shown }
        };
        (0..count).map(frame).collect()
    }
}

/// What is left of a picture after JPEG.
fn compressed(exposure: &Exposure, quality: u8) -> Luma {
    let mut bytes = Vec::new();
    let (width, height) = (exposure.width as u16, exposure.height as u16);
    Encoder::new(&mut bytes, quality).encode(&exposure.pixels, width, height, ColorType::Luma).unwrap();
    let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::Luma);
    let pixels = JpegDecoder::new_with_options(Cursor::new(bytes), options).decode().unwrap();
    Luma::new(exposure.width, exposure.height, pixels).unwrap()
}

/// The columns.
pub fn heading() {
    print!("{:27}", "read, a second, time/ours");
    let names = readers().into_iter().map(|reader| reader.name()).chain(["zbar"]);
    names.for_each(|name| print!("  {name:>23}"));
    println!();
}

fn processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap()
}
