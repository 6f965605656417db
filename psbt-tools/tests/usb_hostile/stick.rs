//! A stick in user space that fails as told. It can neither make nameless files, nor link, nor rename without replacing,
//! as FAT in user space cannot.

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory,
    ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request, WriteFlags,
};
use std::ffi::{OsStr, OsString};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// How it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Reading gives an input/output error from this offset on.
    ReadError(u64),
    /// Nothing answers once it is mounted: pulled.
    Pulled,
    /// Opening a file never answers.
    HangOpen,
    /// Reading a file never answers.
    HangRead,
    /// Each read gives one byte, late.
    Drip,
    /// Listing never answers.
    HangList,
    /// Listing fails in the middle.
    ListError,
    /// Listing has no end.
    EndlessList,
    /// The list has a name with a slash.
    SlashName,
    /// The list has names that nothing answers to.
    GhostNames,
    /// The file is longer each time it is asked for.
    Grows,
    /// The file has another time each time it is asked for.
    Touched,
    /// The file is another one each time it is looked up.
    Swapped,
    /// It claims a length and gives less.
    Short,
    /// It claims no length and gives something.
    Long,
    /// A file when it is looked up, a link when it is opened.
    TurnsLink,
    /// Whatever is written reads back with one bit turned.
    BitRot,
    /// What is written is kept only for its first bytes.
    FakeSize,
    /// Full after this many bytes.
    Full(usize),
    /// Writing fails.
    WriteError,
    /// Syncing fails.
    SyncError,
    /// Writing never answers.
    HangWrite,
    /// Syncing never answers.
    HangSync,
    /// Nothing can be made.
    ReadOnly,
    /// Pulled after the first file was made whole.
    PulledAtSidecar,
    /// Files can be renamed without replacing.
    Renames,
}

const ROOT: u64 = 1;
const SHORT: Duration = Duration::ZERO;

#[derive(Debug, Default)]
struct Content {
    /// By number, from [`ROOT`] + 1 on.
    files: Vec<Option<(OsString, Vec<u8>)>>,
    asked: u64,
    lookups: u64,
    written: usize,
    is_mounted: bool,
    /// Whether it is well again, so that nobody hangs on a test.
    is_well: bool,
}

/// Replies that are never sent; sent as errors when the stick goes.
#[derive(Default)]
struct Kept {
    data: Vec<ReplyData>,
    opens: Vec<ReplyOpen>,
    lists: Vec<ReplyDirectory>,
    writes: Vec<ReplyWrite>,
    rest: Vec<ReplyEmpty>,
}

#[derive(Clone)]
struct Stick {
    fault: Fault,
    content: Arc<Mutex<Content>>,
    kept: Arc<Mutex<Kept>>,
}

/// A mounted stick.
pub struct Mounted {
    point: TempDir,
    stick: Stick,
    session: Option<BackgroundSession>,
}

impl Mounted {
    /// Mounts one with these files; nothing where this machine or user cannot.
    pub fn new(fault: Fault, files: &[(&str, &[u8])]) -> Result<Self, std::io::Error> {
        let point = tempfile::tempdir()?;
        let files = files.iter().map(|(name, bytes)| Some((OsString::from(name), bytes.to_vec()))).collect();
        let content = Arc::new(Mutex::new(Content { files, ..Content::default() }));
        let stick = Stick { fault, content, kept: Arc::default() };
        let session = fuser::spawn_mount(stick.clone(), point.path(), &Config::default())?;
        stick.content.lock().unwrap().is_mounted = true;
        Ok(Self { point, stick, session: Some(session) })
    }

    pub fn path(&self) -> &std::path::Path {
        self.point.path()
    }

    /// What is on it, whatever it says.
    pub fn files(&self) -> Vec<(OsString, Vec<u8>)> {
        self.stick.content.lock().unwrap().files.iter().flatten().cloned().collect()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        self.stick.content.lock().unwrap().is_well = true;
        // Who still waits gets an error.
        *self.stick.kept.lock().unwrap() = Kept::default();
        // Lazily: a thread that was left behind may still hold it.
        let umount = if rustix::process::geteuid().is_root() { "umount" } else { "fusermount" };
        let flags = if umount == "umount" { "-l" } else { "-uz" };
        let _ = std::process::Command::new(umount).arg(flags).arg(self.point.path()).output();
        drop(self.session.take());
    }
}

impl Content {
    fn find(&self, name: &OsStr) -> Option<u64> {
        let at = self.files.iter().position(|file| file.as_ref().is_some_and(|(other, _)| other == name))?;
        Some(at as u64 + ROOT + 1)
    }

    fn file(&mut self, number: INodeNo) -> Option<&mut (OsString, Vec<u8>)> {
        let at = usize::try_from(number.0.checked_sub(ROOT + 1)?).ok()?;
        self.files.get_mut(at)?.as_mut()
    }
}

impl Stick {
    fn attributes(&self, content: &mut Content, number: INodeNo) -> Option<FileAttr> {
        content.asked += 1;
        let asked = content.asked;
        let is_root = number.0 == ROOT;
        let length = match is_root {
            true => 0,
            false => content.file(number)?.1.len() as u64,
        };
        let size = match self.fault {
            Fault::Grows if !is_root => length + asked,
            Fault::Short => length + 5,
            Fault::Long => 0,
            _ => length,
        };
        let time: SystemTime = match self.fault {
            Fault::Touched => UNIX_EPOCH + Duration::from_secs(asked),
            _ => UNIX_EPOCH,
        };
        let kind = match is_root {
            true => FileType::Directory,
            false => FileType::RegularFile,
        };
        Some(FileAttr {
            ino: number,
            size,
            blocks: 1,
            atime: UNIX_EPOCH,
            mtime: time,
            ctime: time,
            crtime: UNIX_EPOCH,
            kind,
            perm: if is_root { 0o755 } else { 0o644 },
            nlink: 1,
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            rdev: 0,
            flags: 0,
            blksize: 512,
        })
    }

    fn is_well(&self) -> bool {
        self.content.lock().unwrap().is_well
    }

    fn is_pulled(&self, content: &Content) -> bool {
        let sidecar =
            content.files.iter().flatten().any(|(name, _)| name.as_encoded_bytes().ends_with(b".sha256"));
        match self.fault {
            Fault::Pulled => content.is_mounted,
            Fault::PulledAtSidecar => sidecar,
            _ => false,
        }
    }
}

impl Filesystem for Stick {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let mut content = self.content.lock().unwrap();
        if self.is_pulled(&content) {
            return reply.error(Errno::EIO);
        }
        let Some(number) = content.find(name) else { return reply.error(Errno::ENOENT) };
        let Some(mut attributes) = self.attributes(&mut content, INodeNo(number)) else {
            return reply.error(Errno::ENOENT);
        };
        if self.fault == Fault::Swapped {
            // Only the number differs; the file behind it is the same.
            attributes.ino = INodeNo(number + 1_000 * content.asked);
        }
        content.lookups += 1;
        if self.fault == Fault::TurnsLink && content.lookups > 1 {
            attributes.kind = FileType::Symlink;
            attributes.ino = INodeNo(number + 1_000);
        }
        reply.entry(&SHORT, &attributes, Generation(0));
    }

    fn readlink(&self, _: &Request, _: INodeNo, reply: ReplyData) {
        reply.data(b"/etc/passwd");
    }

    fn getattr(&self, _: &Request, number: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let mut content = self.content.lock().unwrap();
        if self.is_pulled(&content) {
            return reply.error(Errno::EIO);
        }
        match self.attributes(&mut content, INodeNo(number.0 % 1_000)) {
            Some(attributes) => reply.attr(&SHORT, &FileAttr { ino: number, ..attributes }),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        match self.fault {
            Fault::HangOpen if !self.is_well() => self.kept.lock().unwrap().opens.push(reply),
            Fault::Long | Fault::Drip | Fault::Grows => {
                reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO)
            }
            _ => reply.opened(FileHandle(0), FopenFlags::empty()),
        }
    }

    fn read(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let mut content = self.content.lock().unwrap();
        if self.is_pulled(&content) {
            return reply.error(Errno::EIO);
        }
        let is_well = content.is_well;
        let Some((_, bytes)) = content.file(INodeNo(number.0 % 1_000)) else {
            return reply.error(Errno::ENOENT);
        };
        let from = usize::try_from(offset).unwrap().min(bytes.len());
        let to = bytes.len().min(from + size as usize);
        match self.fault {
            Fault::HangRead if !is_well => self.kept.lock().unwrap().data.push(reply),
            Fault::ReadError(at) if offset + u64::from(size) > at => reply.error(Errno::EIO),
            Fault::Drip => {
                let byte = bytes[from..to.min(from + 1)].to_vec();
                drop(content);
                std::thread::sleep(Duration::from_millis(100));
                reply.data(&byte);
            }
            Fault::BitRot => {
                let mut rotten = bytes[from..to].to_vec();
                rotten.iter_mut().take(1).for_each(|byte| *byte ^= 1);
                reply.data(&rotten);
            }
            _ => reply.data(&bytes[from..to]),
        }
    }

    fn readdir(&self, _: &Request, _: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let content = self.content.lock().unwrap();
        if self.is_pulled(&content) {
            return reply.error(Errno::EIO);
        }
        let mut names: Vec<OsString> = content.files.iter().flatten().map(|(name, _)| name.clone()).collect();
        match self.fault {
            Fault::HangList if !content.is_well => return self.kept.lock().unwrap().lists.push(reply),
            Fault::ListError if offset > 0 => return reply.error(Errno::EIO),
            Fault::SlashName => names.push("../outside".into()),
            Fault::GhostNames => names.extend((0..50).map(|at| format!("ghost{at:02}").into())),
            Fault::EndlessList => {
                for at in offset + 1..offset + 200 {
                    if reply.add(INodeNo(at + 9), at, FileType::RegularFile, format!("{at:09}")) {
                        break;
                    }
                }
                return reply.ok();
            }
            _ => {}
        }
        for (at, name) in names.iter().enumerate().skip(usize::try_from(offset).unwrap()) {
            let at = at as u64;
            if reply.add(INodeNo(at + ROOT + 1), at + 1, FileType::RegularFile, name) {
                break;
            }
        }
        reply.ok();
    }

    fn create(&self, _: &Request, _: INodeNo, name: &OsStr, _: u32, _: u32, _: i32, reply: ReplyCreate) {
        let mut content = self.content.lock().unwrap();
        if self.fault == Fault::ReadOnly {
            return reply.error(Errno::EROFS);
        }
        if self.is_pulled(&content) {
            return reply.error(Errno::EIO);
        }
        content.files.push(Some((name.to_owned(), Vec::new())));
        let number = INodeNo(content.files.len() as u64 + ROOT);
        let attributes = self.attributes(&mut content, number).unwrap();
        reply.created(&SHORT, &attributes, Generation(0), FileHandle(0), FopenFlags::empty());
    }

    fn write(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mut content = self.content.lock().unwrap();
        content.written += data.len();
        let is_full = matches!(self.fault, Fault::Full(most) if content.written > most);
        if is_full {
            return reply.error(Errno::ENOSPC);
        }
        if self.fault == Fault::WriteError || self.is_pulled(&content) {
            return reply.error(Errno::EIO);
        }
        if self.fault == Fault::HangWrite && !content.is_well {
            return self.kept.lock().unwrap().writes.push(reply);
        }
        let fault = self.fault;
        let Some((_, bytes)) = content.file(number) else { return reply.error(Errno::ENOENT) };
        let from = usize::try_from(offset).unwrap();
        bytes.resize(bytes.len().max(from + data.len()), 0);
        bytes[from..from + data.len()].copy_from_slice(data);
        if fault == Fault::FakeSize {
            bytes.iter_mut().skip(8).for_each(|byte| *byte = 0);
        }
        reply.written(u32::try_from(data.len()).unwrap());
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        match self.fault {
            Fault::SyncError => reply.error(Errno::EIO),
            Fault::HangSync if !self.is_well() => self.kept.lock().unwrap().rest.push(reply),
            _ => reply.ok(),
        }
    }

    fn unlink(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let mut content = self.content.lock().unwrap();
        if self.is_pulled(&content) {
            return reply.error(Errno::EIO);
        }
        for file in &mut content.files {
            if file.as_ref().is_some_and(|(other, _)| other == name) {
                *file = None;
                return reply.ok();
            }
        }
        reply.error(Errno::ENOENT);
    }

    fn rename(
        &self,
        _: &Request,
        _: INodeNo,
        name: &OsStr,
        _: INodeNo,
        new: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let mut content = self.content.lock().unwrap();
        if self.fault != Fault::Renames || flags.bits() != 1 {
            return reply.error(Errno::EINVAL);
        }
        if content.find(new).is_some() {
            return reply.error(Errno::EEXIST);
        }
        for file in content.files.iter_mut().flatten() {
            if file.0 == name {
                file.0 = new.to_owned();
            }
        }
        reply.ok();
    }
}
