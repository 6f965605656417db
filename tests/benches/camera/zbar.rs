//! zbar: its program `zbarimg`, where it is installed (Debian: zbar-tools).

use super::frames::{Frame, Score};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// What `times` counts in.
const TICK: Duration = Duration::from_millis(10);

/// What it reads of the frames, all in one call. The time for starting and for loading the files is taken off: that of the
/// same call with no line scanned. `None`, said once, where it is not installed.
pub fn score(frames: &[Frame]) -> Option<Score> {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    let is_installed = INSTALLED.get_or_init(|| {
        let found = Command::new("zbarimg").arg("--version").output().is_ok();
        if !found {
            eprintln!("skipped: zbarimg is not installed (apt install zbar-tools)");
        }
        found
    });
    if !is_installed {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    for (number, frame) in frames.iter().enumerate() {
        let mut bytes = format!("P5\n{} {}\n255\n", frame.luma.width(), frame.luma.height()).into_bytes();
        bytes.extend_from_slice(frame.luma.pixels());
        std::fs::write(folder.path().join(format!("{number:05}.pgm")), bytes).unwrap();
    }
    let (_, loading) = run(folder.path(), "-Sx-density=0 -Sy-density=0");
    let (said, all) = run(folder.path(), "");
    let mut score = Score { time: all.saturating_sub(loading).max(TICK), ..Score::default() };
    for source in said.split("<source href='").skip(1) {
        let (number, rest) = source.split_once(".pgm").unwrap();
        let frame = &frames[number.parse::<usize>().unwrap()];
        let texts = rest.split("<![CDATA[").skip(1).map(|text| text.split("]]>").next().unwrap().to_owned());
        score.count(&texts.collect::<Vec<_>>(), frame);
    }
    Some(score)
}

/// What it prints, and the processor time that it took.
fn run(folder: &Path, options: &str) -> (String, Duration) {
    // `times` prints a line for the shell and one for its children: user time, then system time.
    let line = format!("zbarimg -q --nodbus --xml -Sdisable -Sqrcode.enable {options} *.pgm; times >&2");
    let output = Command::new("sh").args(["-c", &line]).current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let seconds = |word: &str| {
        let (minutes, seconds) = word.trim_end_matches('s').split_once('m').unwrap();
        minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap()
    };
    let children = said.lines().last().unwrap_or_default();
    let time = children.split_whitespace().map(seconds).sum();
    (String::from_utf8_lossy(&output.stdout).into_owned(), Duration::from_secs_f64(time))
}
