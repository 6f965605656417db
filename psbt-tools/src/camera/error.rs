//! What can go wrong with a camera.

use std::io;

/// A camera that gives no frames. The text says what was found, [`Error::hint`] what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such device.
    #[error("there is no camera {device}")]
    Missing {
        /// The device as it was named.
        device: String,
        /// Those that are there.
        found: Vec<String>,
    },
    /// This user may not open it.
    #[error("no permission to open {device}")]
    Permission {
        /// The device.
        device: String,
    },
    /// Another program has it.
    #[error("{device} is used by another program")]
    Busy {
        /// The device.
        device: String,
    },
    /// It is no device that captures video.
    #[error("{device} captures no video")]
    NotACamera {
        /// The device.
        device: String,
        /// Those that are there.
        found: Vec<String>,
    },
    /// It offers no format that is read here.
    #[error("{device} offers no format that is read here: {offered}")]
    NoFormat {
        /// The device.
        device: String,
        /// What it offers.
        offered: String,
    },
    /// It went away.
    #[error("{device} was unplugged")]
    Unplugged {
        /// The device.
        device: String,
    },
    /// It gives nothing.
    #[error("no frame from {device} for {seconds} seconds")]
    Silent {
        /// The device.
        device: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// It says what cannot be.
    #[error("{device} answers nonsense: {what}")]
    Nonsense {
        /// The device.
        device: String,
        /// What it said.
        what: String,
    },
    /// The system refuses something else.
    #[error("{device} fails ({call}): {source}")]
    System {
        /// The device.
        device: String,
        /// What was asked.
        call: &'static str,
        /// The system's reason.
        source: io::Error,
    },
}

impl Error {
    /// What to do next.
    pub fn hint(&self) -> String {
        match self {
            Error::Missing { found, .. } | Error::NotACamera { found, .. } => match found.as_slice() {
                [] => "plug a camera in; a built-in one may be off in the firmware's setup".to_owned(),
                found => format!("name another one: {}", found.join(", ")),
            },
            Error::Permission { .. } => {
                "as root: usermod -aG video YOU, then log out and in again".to_owned()
            }
            Error::Busy { device } => format!("end that program; `fuser -v {device}` names it"),
            Error::NoFormat { .. } => {
                "take a USB camera of the usual kind (UVC), or photographs instead".to_owned()
            }
            Error::Unplugged { .. } => "plug it in again, then run it again".to_owned(),
            Error::Silent { .. } => "unplug it and plug it in again, or take another camera".to_owned(),
            Error::Nonsense { .. } | Error::System { .. } => "take another camera".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_camera_names_those_that_are_there() {
        let missing = |found: &[&str]| Error::Missing {
            device: "/dev/video7".to_owned(),
            found: found.iter().map(|name| (*name).to_owned()).collect(),
        };
        assert_eq!(
            missing(&["/dev/video0", "/dev/video2"]).hint(),
            "name another one: /dev/video0, /dev/video2"
        );
        assert!(missing(&[]).hint().starts_with("plug a camera in"));
    }
}
