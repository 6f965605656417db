//! How a medium is mounted, and how it had better be.

use crate::display::escape;
use crate::files::{Folder, Mount, Obstacle};
use std::io::{self, Read};

/// What a stick that is only read from needs no more than: no writing, no privileged programs, no devices, no programs at
/// all, no symbolic links.
pub const ADVISED: [&str; 5] = ["ro", "nosuid", "nodev", "noexec", "nosymfollow"];

/// Largest list of mounts that is read.
const MAX_LEN: u64 = 4 << 20;

/// A mounted file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Medium {
    /// Where it is mounted, escaped.
    pub point: String,
    /// What it is, as the kernel calls it.
    pub file_system: String,
    /// How it is mounted.
    pub options: Vec<String>,
}

impl Medium {
    /// The medium that is mounted at this folder itself; none where the folder is part of something larger.
    ///
    /// # Errors
    /// What the system says.
    pub fn at(folder: &Folder) -> Result<Option<Self>, Obstacle> {
        if !folder.is_mount_point()? {
            return Ok(None);
        }
        let Mount::Number(number) = folder.mount()? else { return Ok(None) };
        Ok(mounts()?.lines().find_map(|line| parse(line, number)))
    }

    /// The options that are advised and not there.
    pub fn missing(&self) -> Vec<&'static str> {
        ADVISED.into_iter().filter(|advised| !self.options.iter().any(|option| option == advised)).collect()
    }
}

fn mounts() -> io::Result<String> {
    let mut bytes = Vec::new();
    std::fs::File::open("/proc/self/mountinfo")?.take(MAX_LEN).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A line of proc_pid_mountinfo(5), if it is the mount of this number.
fn parse(line: &str, number: u64) -> Option<Medium> {
    let mut words = line.split(' ');
    if words.next()?.parse() != Ok(number) {
        return None;
    }
    let point = words.nth(3)?;
    let options = words.next()?;
    let mut rest = words.skip_while(|word| *word != "-").skip(1);
    let (file_system, of_the_device) = (rest.next()?, rest.nth(1).unwrap_or_default());
    let mut options: Vec<_> = options.split(',').map(str::to_owned).collect();
    // A file system that is read-only for everybody may be mounted `rw`.
    if of_the_device.split(',').any(|option| option == "ro") && !options.iter().any(|option| option == "ro") {
        options.push("ro".to_owned());
    }
    Some(Medium { point: escape(&plain(point)), file_system: escape(file_system), options })
}

/// Blanks, tabs, line breaks and backslashes are written as three octal digits.
fn plain(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .into_iter()
        .fold(text.to_owned(), |text, (code, character)| text.replace(code, character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_of_a_mount_is_named() {
        let line = "36 35 98:0 / /media/my\\040stick rw,nosuid,nodev,relatime shared:1 - vfat /dev/sdb1 rw,fmask=0022";
        let medium = parse(line, 36).unwrap();
        assert_eq!((medium.point.as_str(), medium.file_system.as_str()), ("/media/my stick", "vfat"));
        assert_eq!(medium.missing(), ["ro", "noexec", "nosymfollow"]);
        assert_eq!(parse(line, 35), None);
        let safe = "7 1 0:5 / /mnt rw,nosuid,nodev,noexec,nosymfollow - iso9660 /dev/sr0 ro";
        assert!(parse(safe, 7).unwrap().missing().is_empty());
    }
}
