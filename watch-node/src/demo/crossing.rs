//! How files get from the online side to the offline one and back.

use clap::ValueEnum;
use psbt_tools::simulation::{Conditions, Scene, Screen, Shown, SimulatedCamera, Timeline, Timing, Y4m};
use std::time::Duration;

use super::stage::Stage;
use crate::error::Result;

/// What carries files over the gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Transport {
    /// A USB stick: both sides use the same file.
    Files,
    /// QR codes on a simulated display before a simulated camera.
    Qr,
}

/// Pixels of the camera's pictures: a common webcam.
const SIZE: (usize, usize) = (640, 480);

/// A display and a camera twice as fast, which meets every second change of the display.
const TIMING: Timing =
    Timing { shown_per_second: 15, taken_per_second: 30, phase: Duration::from_millis(7), torn_percent: 50 };

impl Transport {
    /// A file's name at the signer's side of the gap; the same where it is the same file.
    pub fn name_there(self, file: &str) -> String {
        match self {
            Self::Files => file.to_owned(),
            Self::Qr => format!("offline-{file}"),
        }
    }

    /// Carries a file over the gap as a file of that name.
    pub fn carry(self, stage: &mut Stage, file: &str, to: &str) -> Result<()> {
        match self {
            Self::Files => Ok(()),
            Self::Qr => by_codes(stage, file, to),
        }
    }
}

/// Shows the codes of a file, films them, and scans the film.
fn by_codes(stage: &mut Stage, file: &str, to: &str) -> Result<()> {
    stage.step(&format!(
        "Over the gap: {file} is shown as QR codes, a camera films them, the other side reads the film"
    ));
    let (codes, film) = (format!("{to}.codes"), format!("{to}.y4m"));
    let shown = stage.typed(&format!("psbt-tools qr show {file} --png {codes}"))?;
    let (bytes, pictures) = filmed(stage, &codes)?;
    stage.write(&film, &bytes)?;
    stage.say(&format!(
        "\n({pictures} pictures of a simulated camera, held in a hand: {} by {} pixels, 30 a second, half of the changes torn.)",
        SIZE.0, SIZE.1
    ));
    let scanned = stage.typed(&format!("psbt-tools qr scan --video {film} -o {to}"))?;
    let words = shown.lines().last().unwrap_or_default().trim();
    let seen = scanned.lines().find_map(|line| line.strip_prefix("words")).unwrap_or_default().trim();
    if words.is_empty() || words != seen {
        return Err(stage.fault(format!("the words were `{words}`, and `{seen}` on the other side")));
    }
    if stage.read(file)? != stage.read(to)? {
        return Err(stage.fault(format!("{to} is not {file}")));
    }
    stage.say(&format!("The same six words on both sides: {words}"));
    Ok(())
}

/// A film of the codes in a folder, each shown three times; and how many pictures it has.
fn filmed(stage: &Stage, folder: &str) -> Result<(Vec<u8>, u32)> {
    let fault = |reason: std::io::Error| stage.fault(format!("{folder}: {reason}"));
    let mut screens = Vec::new();
    for number in 1_u32.. {
        let name = format!("{folder}/{number:04}.png");
        if !stage.dir().join(&name).exists() {
            break;
        }
        let screen = Screen::of_png(&stage.read(&name)?);
        screens.push(screen.ok_or_else(|| stage.fault(format!("{name} is no picture of a code")))?);
    }
    let screen = |number: u64| {
        let count = u64::try_from(screens.len()).unwrap_or(u64::MAX);
        let at = number.checked_rem(count).and_then(|at| screens.get(usize::try_from(at).ok()?));
        at.ok_or_else(|| stage.fault(format!("there is no code in {folder}")))
    };
    let last = u64::try_from(screens.len()).unwrap_or(u64::MAX).saturating_mul(3);
    let mut camera = SimulatedCamera::new(last, Conditions::hand_held(), SIZE.0, SIZE.1).moving(30);
    let mut film = Y4m::new(Vec::new(), SIZE.0, SIZE.1, TIMING.taken_per_second).map_err(fault)?;
    let mut pictures = 0_u32;
    for moment in Timeline::new(last, TIMING) {
        let scene = match moment.shown {
            Shown::Whole(number) if number >= last => break,
            Shown::Torn { lower, .. } if lower >= last => break,
            Shown::Whole(number) => Scene::Whole(screen(number)?),
            Shown::Torn { upper, lower, at_percent } => {
                Scene::Torn { upper: screen(upper)?, lower: screen(lower)?, at_percent }
            }
        };
        film.add(&camera.expose(scene)).map_err(fault)?;
        pictures = pictures.saturating_add(1);
    }
    Ok((film.finish().map_err(fault)?, pictures))
}
