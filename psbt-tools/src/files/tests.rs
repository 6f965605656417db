use super::*;
use rustix::fs::CWD;
use std::ffi::OsStr;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

fn names(folder: &Path) -> Vec<String> {
    let names = Folder::open(folder, Patience::default()).unwrap().names(100).unwrap();
    assert!(names.is_complete);
    names.names.into_iter().map(|name| name.into_string().unwrap()).collect()
}

fn code(path: &Path) -> String {
    read(path, 100).unwrap_err().code()
}

#[test]
fn a_new_file_has_its_bytes_and_mode_and_nothing_is_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.psbt");
    write_new(&path, b"bytes", 0o600).unwrap();
    assert_eq!(read(&path, 5).unwrap(), b"bytes");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(names(folder.path()), ["out.psbt"]);
}

#[test]
fn an_existing_name_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("taken");
    write_new(&path, b"first", 0o644).unwrap();
    let error = write_new(&path, b"second", 0o644).unwrap_err();
    assert_eq!((error.code().as_str(), error.exit_code()), ("exists", 3));
    assert_eq!(read(&path, 100).unwrap(), b"first");
    let dangling = folder.path().join("dangling");
    symlink(folder.path().join("nowhere"), &dangling).unwrap();
    assert_eq!(write_new(&dangling, b"x", 0o644).unwrap_err().code(), "exists");
    assert_eq!(names(folder.path()), ["dangling", "taken"]);
}

#[test]
fn a_missing_folder_is_a_fault_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let error = write_new(&folder.path().join("no/such"), b"", 0o600).unwrap_err();
    assert_eq!((error.code().as_str(), error.exit_code()), ("unwritable", 1));
    assert!(error.hint().unwrap().contains("create it"));
}

#[test]
fn what_could_not_be_written_is_refused_before_the_work_with_the_error_of_the_writing() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("taken"), b"").unwrap();
    symlink(at("nowhere"), at("dangling")).unwrap();
    for name in ["taken", "dangling", "no/such", "taken/below", "", ".."] {
        let (before, writing) = (require_free(&at(name)), write_new(&at(name), b"x", 0o600));
        let (before, writing) = (before.unwrap_err(), writing.unwrap_err());
        assert_eq!(before.to_string(), writing.to_string());
        assert_eq!((before.code(), before.exit_code()), (writing.code(), writing.exit_code()));
    }
    require_free(&at("free")).unwrap();
    require_free(Path::new("-")).unwrap();
    assert_eq!(names(folder.path()), ["dangling", "taken"]);
}

#[test]
fn sizes_are_capped_and_only_regular_files_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("big");
    std::fs::write(&path, [0; 11]).unwrap();
    assert_eq!(read(&path, 11).unwrap().len(), 11);
    assert_eq!(read(&path, 10).unwrap_err().code(), "C27");
    assert_eq!(code(folder.path()), "not-a-file");
    assert_eq!(code(Path::new("/dev/zero")), "not-a-file");
    assert_eq!(code(Path::new("/")), "not-a-file");
    assert_eq!(code(Path::new(".")), "not-a-file");
    let missing = read(&folder.path().join("missing"), 10).unwrap_err();
    assert_eq!((missing.code().as_str(), missing.exit_code()), ("unreadable", 1));
    assert_eq!(code(&path.join("beneath a file")), "unreadable");
}

#[test]
fn a_pipe_without_a_writer_does_not_block() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    assert_eq!(code(&path), "not-a-file");
}

#[test]
fn a_symlink_to_a_file_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("real")).unwrap();
    std::fs::write(at("real/file"), b"x").unwrap();
    symlink("real", at("by-folder")).unwrap();
    symlink("by-folder/../real/./file", at("link")).unwrap();
    symlink("link", at("twice")).unwrap();
    symlink(at("real/file"), at("absolute")).unwrap();
    for name in ["link", "twice", "absolute", "by-folder/file", "real/../by-folder/file"] {
        assert_eq!(read(&at(name), 10).unwrap(), b"x", "{name}");
    }
    symlink("loop", at("loop")).unwrap();
    assert_eq!(code(&at("loop")), "unreadable");
}

/// `/proc` is a mount of its own, and nobody's home: its links stand for those of a stick.
#[test]
fn a_symlink_on_another_mount_leads_nowhere_outside_it() {
    let this = PathBuf::from("/proc/self");
    assert_eq!(code(&this.join("exe")), "symlink");
    assert_eq!(code(&this.join("root/etc/passwd")), "symlink");
    assert_eq!(code(&this.join("cwd/Cargo.toml")), "symlink");
    let inside = Folder::open(Path::new("/proc/self/net"), Patience::default()).unwrap();
    assert!(inside.is_taken(OsStr::new("dev")).unwrap());
    assert_eq!(Folder::open(&this.join("cwd"), Patience::default()).unwrap_err().code(), "symlink");
    let written = write_new(&this.join("cwd/new"), b"", 0o600).unwrap_err();
    assert_eq!((written.code().as_str(), written.exit_code()), ("symlink", 3));
}

#[test]
fn what_the_shell_opened_is_read() {
    use std::os::fd::AsRawFd;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, b"bytes").unwrap();
    let file = File::open(&path).unwrap();
    for prefix in ["/dev/fd", "/proc/self/fd"] {
        assert_eq!(read(Path::new(&format!("{prefix}/{}", file.as_raw_fd())), 10).unwrap(), b"bytes");
    }
    let (reader, mut writer) = io::pipe().unwrap();
    let pipe = format!("/dev/fd/{}", reader.as_raw_fd());
    let late = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(50));
        writer.write_all(b"late").unwrap();
    });
    assert_eq!(read(Path::new(&pipe), 10).unwrap(), b"late");
    late.join().unwrap();
    assert!(!is_inherited(Path::new("/proc/self/fd/3/x")) && !is_inherited(Path::new("/dev/fd/")));
}

#[test]
fn a_folder_gives_its_own_regular_files_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("in")).unwrap();
    std::fs::write(at("secret"), b"secret").unwrap();
    std::fs::write(at("in/file"), b"x").unwrap();
    symlink("file", at("in/link")).unwrap();
    std::fs::create_dir(at("in/folder")).unwrap();
    let inside = Folder::open(&at("in"), Patience::default()).unwrap();
    let code = |name: &str| inside.read(OsStr::new(name), 10).unwrap_err().code();
    assert_eq!(inside.read(OsStr::new("file"), 10).unwrap(), b"x");
    assert_eq!((code("link"), code("folder")), ("symlink", "folder"));
    for name in ["../secret", "/etc/passwd", ".", "..", "", "folder/..", "./file"] {
        assert_eq!(code(name), "unreadable", "{name}");
    }
    // The folder is the one that was opened, wherever its path leads by now.
    std::fs::rename(at("in"), at("moved")).unwrap();
    std::fs::create_dir(at("in")).unwrap();
    assert_eq!(inside.read(OsStr::new("file"), 10).unwrap(), b"x");
    inside.write_new(OsStr::new("new"), b"y", 0o600).unwrap();
    assert!(at("moved/new").exists() && !at("in/new").exists());
}

#[test]
fn the_old_way_of_opening_is_as_narrow() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), b"x").unwrap();
    symlink("file", folder.path().join("link")).unwrap();
    let at = File::open(folder.path()).unwrap().into();
    let plain: open::Open = |folder, name, flags| {
        rustix::fs::openat(folder, name, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
    };
    assert!(regular(&at, OsStr::new("file"), plain).is_ok());
    assert_eq!(regular(&at, OsStr::new("link"), plain).unwrap_err().code(), "symlink");
}
