//! Opening what a name stands for, and nothing that a medium would rather have opened.
//!
//! Paths are walked one name at a time, each relative to the descriptor before it, by `openat2` without magic links, or
//! by `openat` with `O_NOFOLLOW` where the kernel lacks it: for one name both come to the same.

use super::obstacle::{Obstacle, Other};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{
    self, AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat, StatxFlags, fstat, openat, openat2,
};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

/// As many symbolic links as the kernel follows (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// Opens a name in a folder.
pub(super) type Open = fn(&OwnedFd, &OsStr, OFlags) -> Result<OwnedFd, Errno>;

/// A folder and a name in it that is no symbolic link.
#[derive(Debug)]
pub(super) struct Place {
    pub folder: OwnedFd,
    pub name: OsString,
}

/// Walks a path that a person typed. A symbolic link on the mount of `/` or of the home folder is the person's own and is
/// followed. One on any other mount came with that medium: it is followed within this mount, and never out of it.
pub(super) fn place(path: &Path) -> Result<Place, Obstacle> {
    let mut here = start(path)?;
    let mut ahead = names(path);
    let (mut links, mut confined) = (0usize, None);
    while let Some(name) = ahead.pop() {
        let is_last = ahead.is_empty();
        let next = match step(&here, &name, OFlags::PATH | OFlags::DIRECTORY) {
            Err(Errno::NOTDIR | Errno::LOOP) => step(&here, &name, OFlags::PATH)?,
            next => next?,
        };
        let status = fstat(&next)?;
        stays(confined, &next)?;
        if kind(&status) != FileType::Symlink {
            if is_last {
                return Ok(Place { folder: here, name });
            }
            here = next;
            continue;
        }
        links = links.saturating_add(1);
        if links > MAX_LINKS {
            return Err(Errno::LOOP.into());
        }
        if is_strangers(&status, &fstat(&here)?) {
            return Err(Obstacle::Symlink);
        }
        let mount = Mount::of(&next)?;
        if confined.is_none() && !mount.is_own() {
            confined = Some(mount);
        }
        let target = fs::readlinkat(&next, "", Vec::new())?.into_bytes();
        let target = PathBuf::from(OsString::from_vec(target));
        if target.is_absolute() {
            here = start(&target)?;
            stays(confined, &here)?;
        }
        ahead.append(&mut names(&target));
    }
    Ok(Place { folder: here, name: ".".into() })
}

/// Opens one name; a symbolic link is opened itself with `O_PATH`, and not at all otherwise.
pub(super) fn step(folder: &OwnedFd, name: &OsStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    open_one(folder, name, flags, ResolveFlags::empty())
}

/// The same for a name that a folder's listing gave: it stays beneath the folder and on its mount.
pub(super) fn beneath(folder: &OwnedFd, name: &OsStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut parts = Path::new(name).components();
    if !matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name) {
        return Err(Errno::INVAL);
    }
    let opened = open_one(folder, name, flags, ResolveFlags::BENEATH | ResolveFlags::NO_XDEV)?;
    // The kernel saw to it; where it has no `openat2`, this does.
    if Mount::of(&opened)? == Mount::of(folder)? { Ok(opened) } else { Err(Errno::XDEV) }
}

/// Opens a regular file for reading. What it is gets known before it is opened: to open a device may do something.
pub(super) fn regular(folder: &OwnedFd, name: &OsStr, open: Open) -> Result<OwnedFd, Obstacle> {
    let pinned = fstat(open(folder, name, OFlags::PATH)?)?;
    require_regular(&pinned)?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = open(folder, name, flags).map_err(|errno| match errno {
        Errno::LOOP | Errno::NOENT => Obstacle::Changed,
        errno => errno.into(),
    })?;
    let status = fstat(&opened)?;
    match same_file(&status, &pinned) && kind(&status) == FileType::RegularFile {
        true => Ok(opened),
        false => Err(Obstacle::Changed),
    }
}

/// # Errors
/// What it is instead.
pub(super) fn require_regular(status: &Stat) -> Result<(), Obstacle> {
    let kind = kind(status);
    if kind == FileType::RegularFile {
        Ok(())
    } else if kind == FileType::Symlink {
        Err(Obstacle::Symlink)
    } else {
        Err(Obstacle::NotAFile(Other::of(kind)))
    }
}

pub(super) fn same_file(a: &Stat, b: &Stat) -> bool {
    (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)
}

pub(super) fn kind(status: &Stat) -> FileType {
    FileType::from_raw_mode(status.st_mode)
}

/// A mount, as far as the kernel tells them apart: its number, or before Linux 5.8 the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mount {
    /// The number in `/proc/self/mountinfo`.
    Number(u64),
    /// The number of the device.
    Device(u64),
}

impl Mount {
    /// Where an open file lies.
    ///
    /// # Errors
    /// What the system says.
    pub fn of(file: &impl AsFd) -> Result<Self, Errno> {
        if let Ok(status) = fs::statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)
            && StatxFlags::from_bits_retain(status.stx_mask).contains(StatxFlags::MNT_ID)
        {
            return Ok(Mount::Number(status.stx_mnt_id));
        }
        Ok(Mount::Device(fstat(file)?.st_dev))
    }

    /// Whether `/` or the home folder is mounted so.
    pub(super) fn is_own(self) -> bool {
        let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
        let folders = [Some(PathBuf::from("/")), home];
        folders.iter().flatten().any(|folder| {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let opened = fs::open(folder, flags, Mode::empty());
            opened.is_ok_and(|opened| Mount::of(&opened).is_ok_and(|mount| mount == self))
        })
    }
}

fn open_one(folder: &OwnedFd, name: &OsStr, flags: OFlags, more: ResolveFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS | more;
    match openat2(folder, name, flags, Mode::empty(), resolve) {
        // A filter of system calls that is older than the call says that it is not permitted.
        Err(Errno::NOSYS | Errno::PERM) => openat(folder, name, flags, Mode::empty()),
        opened => opened,
    }
}

fn start(path: &Path) -> Result<OwnedFd, Errno> {
    let from = if path.is_absolute() { "/" } else { "." };
    openat(CWD, from, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// The names of a path, the last first.
fn names(path: &Path) -> Vec<OsString> {
    let name = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
    };
    let mut names: Vec<_> = path.components().filter_map(name).collect();
    names.reverse();
    names
}

fn stays(confined: Option<Mount>, file: &OwnedFd) -> Result<(), Obstacle> {
    match confined {
        Some(mount) if mount != Mount::of(file)? => Err(Obstacle::Symlink),
        Some(_) | None => Ok(()),
    }
}

/// A link of somebody else in a folder where everybody may write, as the kernel refuses to follow it
/// (`fs.protected_symlinks`, proc(5)).
fn is_strangers(link: &Stat, folder: &Stat) -> bool {
    let mode = Mode::from_raw_mode(folder.st_mode);
    mode.contains(Mode::SVTX | Mode::WOTH)
        && link.st_uid != rustix::process::geteuid().as_raw()
        && link.st_uid != folder.st_uid
}
