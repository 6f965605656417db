//! Which cameras there are.

use super::device::{Camera, fault, opened};
use super::error::Error;
use super::layout::{CAN_CAPTURE, CAN_STREAM, Capability, HAS_DEVICE_CAPS};
use super::sys::{self, QUERYCAP};
use crate::display::escape;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Most devices that are listed.
const MOST: usize = 64;

/// What the names of devices begin with; a number follows.
const PREFIX: &str = "video";

/// A device, and what it is called or why it cannot be asked.
#[derive(Debug)]
pub struct Listed {
    /// Its path.
    pub device: PathBuf,
    /// What it calls itself, escaped.
    pub name: Result<String, Error>,
}

impl Camera {
    /// The cameras of a folder of devices, which is `/dev`, by number, and those that cannot be asked. Nothing is started.
    /// Devices that capture no video are left out: many cameras have a second one that does not.
    pub fn list(folder: &Path) -> Vec<Listed> {
        let asked = |device: PathBuf| {
            let name = opened(&device).and_then(|file| described(&file, &named(&device)));
            Listed { device, name }
        };
        let listed = devices(folder).into_iter().map(asked);
        listed.filter(|listed| !matches!(listed.name, Err(Error::NotACamera { .. }))).collect()
    }
}

/// What a device calls itself. Errors: [`Error::NotACamera`] when it captures no video.
pub(super) fn described(file: &File, device: &str) -> Result<String, Error> {
    let not_a_camera = || Error::NotACamera { device: device.to_owned(), found: others(Path::new(device)) };
    let mut about = Capability::default();
    sys::ask(file, QUERYCAP, &mut about).map_err(|source| match source.raw_os_error() {
        // The device, or the file, does not know the question.
        Some(libc::ENOTTY | libc::EINVAL) => not_a_camera(),
        _ => fault(device, QUERYCAP.name, source),
    })?;
    let can = match about.capabilities & HAS_DEVICE_CAPS {
        0 => about.capabilities,
        _ => about.device_caps,
    };
    if can & CAN_CAPTURE == 0 || can & CAN_STREAM == 0 {
        return Err(not_a_camera());
    }
    let name = about.card.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(escape(&String::from_utf8_lossy(name)))
}

/// The other devices of the folder that a device is in, or would be.
pub(super) fn others(device: &Path) -> Vec<String> {
    let folder = device.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut found = devices(folder.unwrap_or(Path::new("/dev")));
    found.retain(|other| other != device);
    found.iter().map(|other| named(other)).collect()
}

/// A device's path, escaped.
pub(super) fn named(device: &Path) -> String {
    escape(&device.to_string_lossy())
}

/// The video devices of a folder, by number.
fn devices(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = folder.read_dir() else { return Vec::new() };
    let mut numbers: Vec<u16> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_prefix(PREFIX)?.parse().ok())
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers.truncate(MOST);
    numbers.into_iter().map(|number| folder.join(format!("{PREFIX}{number}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_listed_by_number() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["video10", "video2", "video0", "video", "videox", "vide1", "video2b"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let path = |name: &str| folder.path().join(name);
        assert_eq!(devices(folder.path()), [path("video0"), path("video2"), path("video10")]);
        assert_eq!(others(&path("video2")), [named(&path("video0")), named(&path("video10"))]);
        assert!(devices(&path("none")).is_empty());
    }

    #[test]
    fn what_is_no_camera_is_not_listed_and_says_so_when_it_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("video0");
        std::fs::write(&path, "text").unwrap();
        assert!(Camera::list(folder.path()).is_empty());
        assert!(matches!(Camera::open(&path), Err(Error::NotACamera { .. })));
        let missing = Camera::open(&folder.path().join("video7")).unwrap_err();
        assert!(matches!(&missing, Error::Missing { found, .. } if found.len() == 1), "{missing}");
    }
}
