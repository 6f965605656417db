//! FAT and exFAT as they are, through file systems in user space on an image: what they fold, refuse and lack.

use crate::ground::{Act, Outcome, PSBT, act, patience};
use crate::table::Table;
use psbt_tools::files::{Folder, Patience};
use psbt_tools::usb;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A mounted image.
struct Image {
    folder: TempDir,
    device: Option<String>,
}

fn run(program: &str, arguments: &[&str]) -> Result<Output, String> {
    // Programs for administrators are not in everybody's path.
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new(program).args(arguments).env("PATH", path).output();
    let output = output.map_err(|error| format!("no {program}: {error}"))?;
    match output.status.success() {
        true => Ok(output),
        false => {
            Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ")))
        }
    }
}

impl Image {
    fn empty(kibibytes: u64) -> (TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("stick")).unwrap();
        let image = folder.path().join("image");
        std::fs::File::create(&image).unwrap().set_len(kibibytes * 1024).unwrap();
        let image = image.to_str().unwrap().to_owned();
        (folder, image)
    }

    fn fat(kibibytes: u64) -> Result<Self, String> {
        let (folder, image) = Self::empty(kibibytes);
        run("mkfs.fat", &["-F", "12", &image])?;
        let stick = folder.path().join("stick");
        run("fusefat", &["-o", "rw+", &image, stick.to_str().unwrap()])?;
        Self { folder, device: None }.mounted()
    }

    fn exfat(kibibytes: u64) -> Result<Self, String> {
        let (folder, image) = Self::empty(kibibytes);
        run("mkfs.exfat", &[&image])?;
        let device = run("losetup", &["--find", "--show", &image])?;
        let device = String::from_utf8_lossy(&device.stdout).trim().to_owned();
        let stick = folder.path().join("stick");
        let made = Self { folder, device: Some(device.clone()) };
        run("mount.exfat-fuse", &[&device, stick.to_str().unwrap()])?;
        made.mounted()
    }

    fn mounted(self) -> Result<Self, String> {
        let folder = Folder::open(&self.stick(), Patience::default()).map_err(|error| error.to_string())?;
        match folder.is_mount_point() {
            Ok(true) => Ok(self),
            _ => Err("it was not mounted".to_owned()),
        }
    }

    fn stick(&self) -> PathBuf {
        self.folder.path().join("stick")
    }

    fn unmount(&self) {
        let stick = self.stick();
        let _ = run("umount", &[stick.to_str().unwrap()])
            .or_else(|_| run("fusermount", &["-u", stick.to_str().unwrap()]));
        if let Some(device) = &self.device {
            let _ = run("losetup", &["--detach", device]);
        }
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        self.unmount();
    }
}

fn names(stick: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        stick.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn check(table: &mut Table, stick: &Path, what: &str, todo: &Act<'_>, expected: &str) {
    table.judge(what, expected, act(stick, todo, &patience(30.0)));
}

/// The cycle on a medium that is not case sensitive.
fn cycle(table: &mut Table, system: &str, image: &Image) {
    let stick = image.stick();
    let mut check = |what: &str, todo: &Act<'_>, expected: &str| {
        check(table, &stick, &format!("{system}: {what}"), todo, expected);
    };
    check("a file is written", &Act::Put(b"P-0042-signed.psbt"), "written");
    check("it is listed", &Act::List(b"P-0042-signed.psbt"), "psbt right");
    check("it is the only payment", &Act::Take, "P-0042-signed.psbt");
    check("it is never written again", &Act::Put(b"P-0042-signed.psbt"), "exists");
    check("nor in another case", &Act::Put(b"p-0042-SIGNED.psbt"), "exists");
    check("a device of Windows", &Act::Put(b"con.psbt"), "name");
    check("a reserved character", &Act::Put(b"a:b.psbt"), "name");
    check("an output of any command", &Act::Output("out.psbt"), "written");
    check("and never again", &Act::Output("OUT.PSBT"), "exists");
    check("two payments", &Act::Take, "ambiguous");
    check("a missing name", &Act::TakeNamed("nothing.psbt"), "unreadable NotFound");
    check("a name in another case", &Act::TakeNamed("OUT.psbt"), "psbt absent");
    let word = names(&stick).join(" ");
    let all = "P-0042-signed.psbt P-0042-signed.psbt.sha256 out.psbt";
    table.judge(format!("{system}: what is there in the end"), all, Outcome { word, got: Vec::new() });
}

/// Fills it until it refuses: that is said, nothing half is left, and what was there is as it was.
fn fill(table: &mut Table, system: &str, image: &Image, expected: &str) {
    let stick = image.stick();
    let folder = Folder::open(&stick, patience(30.0)).unwrap();
    let big = vec![0x5a; 100_000];
    let mut last = None;
    for at in 0..200 {
        let name = format!("big{at}.bin");
        if let Err(error) = usb::put(&folder, name.as_ref(), &big) {
            last = Some((name, error));
            break;
        }
    }
    let (name, error) = last.expect("it was never full");
    let word = match &error {
        psbt_tools::Error::Write { source, .. } => {
            format!("{} {}", error.code(), crate::ground::system(source))
        }
        error => error.code(),
    };
    table.judge(format!("{system}: a full medium"), expected, Outcome { word, got: Vec::new() });
    let left = names(&stick);
    assert!(
        !left.iter().any(|other| other.starts_with(&name) || other.starts_with('.')),
        "{system}: {left:?}"
    );
    for name in left.iter().filter(|name| name.ends_with(".bin")) {
        assert_eq!(std::fs::read(stick.join(name)).unwrap(), big, "{system}: {name}");
    }
    assert_eq!(std::fs::read(stick.join("out.psbt")).unwrap_or_default(), PSBT, "{system}");
}

#[test]
fn fat_and_exfat_carry_what_is_put_on_them() {
    let mut table = Table::default();
    match Image::fat(1_440) {
        Err(why) => table.skip("FAT", why),
        Ok(image) => {
            cycle(&mut table, "FAT", &image);
            fill(&mut table, "FAT", &image, "unwritable PermissionDenied");
            image.unmount();
            // Somebody else's code finds the same on it.
            let device = image.folder.path().join("image");
            let shown = run("mtype", &["-i", device.to_str().unwrap(), "::out.psbt"]);
            match shown {
                Ok(shown) => assert_eq!(shown.stdout, PSBT),
                Err(why) => table.skip("FAT read by mtools", why),
            }
        }
    }
    match Image::exfat(4_096) {
        Err(why) => table.skip("exFAT", why),
        Ok(image) => {
            cycle(&mut table, "exFAT", &image);
            fill(&mut table, "exFAT", &image, "unwritable StorageFull");
        }
    }
    table.end(2);
}
