//! Where codes are seen, as it is typed.

use std::path::PathBuf;

/// A camera, a video or pictures of QR codes.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(group = clap::ArgGroup::new("qr_source").args(["camera", "video", "picture"]).multiple(true))]
pub struct From {
    /// Read QR codes with a camera
    #[arg(long, value_name = "DEV", num_args = 0..=1, default_missing_value = "/dev/video0",
        conflicts_with_all = ["video", "picture"])]
    pub camera: Option<PathBuf>,
    /// Read QR codes in a video (Y4M); `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "picture")]
    pub video: Option<PathBuf>,
    /// Read QR codes in pictures (PNG, JPEG, GIF), or in folders of them
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub picture: Vec<PathBuf>,
    /// Go on with an interrupted scan; where this one is interrupted, its codes are kept in this file
    #[arg(long, value_name = "FILE", requires = "qr_source")]
    pub resume: Option<PathBuf>,
    /// The video is nothing but the brightness of pixels, frame after frame.
    #[arg(skip)]
    pub raw: Option<Size>,
}

/// Pixels of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Of a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl From {
    /// Whether there is anything to look at.
    pub fn is_given(&self) -> bool {
        self.camera.is_some() || self.video.is_some() || !self.picture.is_empty()
    }
}

impl std::str::FromStr for Size {
    type Err = String;

    /// `WxH`, as `1280x720`.
    fn from_str(text: &str) -> Result<Self, String> {
        let sides = text.split_once('x').and_then(|(width, height)| {
            Some(Self { width: width.parse().ok()?, height: height.parse().ok()? })
        });
        let is_seen = |size: &Self| {
            let side = |length: u32| usize::try_from(length).unwrap_or(usize::MAX);
            super::picture::luma::count(side(size.width), side(size.height)).is_some()
        };
        sides.filter(is_seen).ok_or_else(|| "expected WIDTHxHEIGHT in pixels, as 1280x720".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        from: From,
    }

    fn typed(words: &[&str]) -> Option<From> {
        let line = Line::try_parse_from(std::iter::once(&"program").chain(words)).ok()?;
        Some(line.from)
    }

    #[test]
    fn one_source_is_named_or_none() {
        assert_eq!(typed(&["--camera"]).unwrap().camera, Some("/dev/video0".into()));
        assert_eq!(typed(&["--camera", "/dev/video2"]).unwrap().camera, Some("/dev/video2".into()));
        assert_eq!(typed(&["--picture", "a", "b"]).unwrap().picture.len(), 2);
        assert_eq!(typed(&["--video", "-", "--resume", "r"]).unwrap().video, Some("-".into()));
        assert!(!typed(&[]).unwrap().is_given());
        assert!(typed(&["--video", "a", "--picture", "b"]).is_none());
        assert!(typed(&["--camera", "a", "--video", "b"]).is_none());
    }

    #[test]
    fn sizes_without_pixels_or_with_too_many_are_refused() {
        assert_eq!("1280x720".parse(), Ok(Size { width: 1_280, height: 720 }));
        for bad in ["", "x", "0x1", "1x0", "1280", "-1x2", "99999x99999", "4294967297x1", "1x2x3"] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
    }
}
