//! The camera, which QR codes need and files do without.

use super::Finding;
use psbt_tools::camera::{Camera, Listed};
use psbt_tools::display::escape;
use std::path::Path;

/// Cameras that can be opened, else why not. None is started.
pub fn camera(root: &Path) -> Finding {
    told(&Camera::list(&root.join("dev")))
}

fn told(listed: &[Listed]) -> Finding {
    const NAME: &str = "camera";
    let named = |listed: &Listed| {
        let name = listed.name.as_ref().ok()?;
        Some(format!("{name} ({})", escape(&listed.device.to_string_lossy())))
    };
    let cameras: Vec<String> = listed.iter().filter_map(named).collect();
    let trouble = listed.iter().find_map(|listed| listed.name.as_ref().err());
    match (cameras.as_slice(), trouble) {
        ([], Some(trouble)) => Finding::note(NAME, trouble.to_string(), Some(&trouble.hint())),
        ([], None) => Finding::note(
            NAME,
            "none: payments come on a stick",
            Some("for QR codes plug a camera in, or switch the built-in one on in the firmware's setup"),
        ),
        (cameras, _) => Finding::ok(NAME, cameras.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;
    use psbt_tools::camera::Error;

    fn listed(device: &str, name: Result<&str, Error>) -> Listed {
        Listed { device: device.into(), name: name.map(str::to_owned) }
    }

    #[test]
    fn a_camera_is_named_and_one_that_cannot_be_opened_has_its_remedy() {
        let denied = || Error::Permission { device: "/dev/video0".to_owned() };
        let found = told(&[listed("/dev/video0", Err(denied()))]);
        assert_eq!((found.state, found.found.as_str()), (State::Note, "no permission to open /dev/video0"));
        assert!(found.fix.unwrap().contains("usermod -aG video"));
        let found = told(&[listed("/dev/video0", Err(denied())), listed("/dev/video2", Ok("UVC camera"))]);
        assert_eq!(found, Finding::ok("camera", "UVC camera (/dev/video2)"));
        assert_eq!(camera(Path::new("/nowhere")).state, State::Note);
    }
}
