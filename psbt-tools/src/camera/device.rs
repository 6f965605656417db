//! One camera that runs.

use super::error::Error;
use super::frame::{Frame, MAX_BUFFER_LEN, Shape};
use super::layout::{Buffer, BufferRequest, CAPTURE, Format, IS_BROKEN, MMAP, Parameters};
use super::listing::{described, named, others};
use super::modes;
use super::sys::{self, Call, Mapping, Ready};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Frames a second that are asked for.
const RATE: u32 = 30;

/// Buffers that are asked for, and the most that are taken.
const BUFFERS: u32 = 4;
const MAX_BUFFERS: u32 = 32;

/// How long a camera may give no frame before it is given up: some take seconds to wake.
const PATIENCE: Duration = Duration::from_secs(5);

/// A camera that runs until this is dropped.
#[derive(Debug)]
pub struct Camera {
    file: File,
    device: String,
    name: String,
    shape: Shape,
    buffers: Vec<Mapping>,
    last: Instant,
}

impl Camera {
    /// Opens a device, `/dev/video0` say, and starts it in the format and size that suit best.
    ///
    /// # Errors
    /// [`Error`], for every reason why it will not run.
    pub fn open(device: &Path) -> Result<Self, Error> {
        let file = opened(device)?;
        let device = named(device);
        let name = described(&file, &device)?;
        let mode = modes::choose(&file).map_err(|offered| {
            let offered = if offered.is_empty() { "none at all".to_owned() } else { offered.join(", ") };
            Error::NoFormat { device: device.clone(), offered }
        })?;
        let mut format = Format::of(mode.pixel_format, mode.width, mode.height);
        ask(&file, &device, sys::S_FMT, &mut format)?;
        let shape = Shape::of(&format).map_err(|what| Error::Nonsense { device: device.clone(), what })?;
        // A wish: many devices have one speed only.
        let _ = sys::ask(&file, sys::S_PARM, &mut Parameters::of(RATE));
        let buffers = mapped(&file, &device, &shape)?;
        let mut camera = Self { file, device, name, shape, buffers, last: Instant::now() };
        for index in (0..MAX_BUFFERS).take(camera.buffers.len()) {
            camera.give_back(index)?;
        }
        let mut kind = CAPTURE;
        ask(&camera.file, &camera.device, sys::STREAMON, &mut kind)?;
        camera.last = Instant::now();
        Ok(camera)
    }

    /// What it calls itself, escaped.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The next frame, if one comes within that time. Frames that the device says are broken are passed over.
    ///
    /// # Errors
    /// [`Error::Unplugged`]; [`Error::Silent`] when none came for long; [`Error::Nonsense`]; [`Error::System`].
    pub fn next(&mut self, within: Duration) -> Result<Option<Frame>, Error> {
        let begun = Instant::now();
        loop {
            let left = within.saturating_sub(begun.elapsed());
            let ready = sys::wait(&self.file, left).map_err(|source| fault(&self.device, "poll", source))?;
            if ready != Ready::Not
                && let Some(frame) = self.fetch(ready)?
            {
                self.last = Instant::now();
                return Ok(Some(frame));
            }
            if self.last.elapsed() >= PATIENCE {
                return Err(Error::Silent { device: self.device.clone(), seconds: PATIENCE.as_secs() });
            }
            if begun.elapsed() >= within {
                return Ok(None);
            }
        }
    }

    /// Takes a frame out of its buffer and gives the buffer back.
    fn fetch(&mut self, ready: Ready) -> Result<Option<Frame>, Error> {
        let mut buffer = Buffer::of(0);
        match sys::ask(&self.file, sys::DQBUF, &mut buffer) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock && ready == Ready::Yes => return Ok(None),
            // Nothing to fetch from a device that has trouble: it is gone, or has stopped.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                return Err(Error::Unplugged { device: self.device.clone() });
            }
            // A frame was lost on the way.
            Err(error) if error.raw_os_error() == Some(libc::EIO) && ready == Ready::Yes => return Ok(None),
            Err(error) => return Err(fault(&self.device, sys::DQBUF.name, error)),
        }
        let mapping = usize::try_from(buffer.index).ok().and_then(|index| self.buffers.get(index));
        let Some(mapping) = mapping else {
            let what = format!("buffer {} of {}", buffer.index, self.buffers.len());
            return Err(Error::Nonsense { device: self.device.clone(), what });
        };
        let frame = match buffer.flags & IS_BROKEN {
            0 => self.shape.frame(mapping, buffer.bytes_used),
            _ => None,
        };
        self.give_back(buffer.index)?;
        Ok(frame)
    }

    fn give_back(&self, index: u32) -> Result<(), Error> {
        ask(&self.file, &self.device, sys::QBUF, &mut Buffer::of(index))
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        let mut kind = CAPTURE;
        // Closing it does the same; a device that is gone needs neither.
        let _ = sys::ask(&self.file, sys::STREAMOFF, &mut kind);
    }
}

/// Opens a device without waiting for it.
pub(super) fn opened(device: &Path) -> Result<File, Error> {
    // Some devices start only for those who may also write.
    let flags = libc::O_NONBLOCK | libc::O_CLOEXEC | libc::O_NOCTTY;
    let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(device);
    file.map_err(|source| match source.raw_os_error() {
        Some(libc::ENOENT | libc::ENODEV | libc::ENXIO | libc::ENOTDIR) => {
            Error::Missing { device: named(device), found: others(device) }
        }
        Some(libc::EISDIR) => Error::NotACamera { device: named(device), found: others(device) },
        _ => fault(&named(device), "open", source),
    })
}

/// What an error of a device means.
pub(super) fn fault(device: &str, call: &'static str, source: io::Error) -> Error {
    let device = device.to_owned();
    match source.raw_os_error() {
        Some(libc::EACCES | libc::EPERM) => Error::Permission { device },
        Some(libc::EBUSY) => Error::Busy { device },
        Some(libc::ENODEV | libc::ENXIO) => Error::Unplugged { device },
        _ => Error::System { device, call, source },
    }
}

fn ask<T>(file: &File, device: &str, call: Call<T>, argument: &mut T) -> Result<(), Error> {
    let name = call.name;
    sys::ask(file, call, argument).map_err(|source| fault(device, name, source))
}

/// The device's buffers, each long enough for a frame.
fn mapped(file: &File, device: &str, shape: &Shape) -> Result<Vec<Mapping>, Error> {
    let nonsense = |what: String| Error::Nonsense { device: device.to_owned(), what };
    let mut wanted =
        BufferRequest { count: BUFFERS, kind: CAPTURE, memory: MMAP, ..BufferRequest::default() };
    ask(file, device, sys::REQBUFS, &mut wanted)?;
    if !(1..=MAX_BUFFERS).contains(&wanted.count) {
        return Err(nonsense(format!("{} buffers", wanted.count)));
    }
    let needed = shape.needed().unwrap_or(MAX_BUFFER_LEN);
    (0..wanted.count)
        .map(|index| {
            let mut buffer = Buffer::of(index);
            ask(file, device, sys::QUERYBUF, &mut buffer)?;
            let len = usize::try_from(buffer.length).unwrap_or(usize::MAX);
            if len < needed || len > MAX_BUFFER_LEN {
                return Err(nonsense(format!("a buffer of {len} bytes for frames of {needed}")));
            }
            let mapping = Mapping::new(file, len, buffer.offset);
            mapping.map_err(|source| fault(device, "mmap", source))
        })
        .collect()
}
