//! Codes as files.

use super::form::Codes;
use super::symbol::Symbol;
use super::{gif, png, svg};
use crate::display::escape;
use crate::{Error, files};
use std::path::Path;

/// Where pictures of codes go.
#[derive(Debug, Clone, Copy)]
pub enum Pictures<'a> {
    /// A new folder, one PNG a code.
    Png(&'a Path),
    /// A new folder, one SVG a code.
    Svg(&'a Path),
    /// A moving picture, and its codes a second.
    Gif(&'a Path, u8),
}

impl<'a> Pictures<'a> {
    /// Writes them; gives how many.
    ///
    /// # Errors
    /// [`Error::Exists`] when the name is taken, so that the pictures of two payloads never get into one folder;
    /// [`Error::Write`]; [`Error::Symbol`].
    pub fn write(self, codes: &Codes) -> Result<usize, Error> {
        let series = codes.series();
        let count = series.len();
        match self {
            Pictures::Png(folder) => fill(folder, "png", series, png)?,
            Pictures::Svg(folder) => fill(folder, "svg", series, |code| Ok(svg(code).into_bytes()))?,
            Pictures::Gif(file, fps) => files::write_new(file, &gif(series, fps)?, 0o644)?,
        }
        Ok(count)
    }

    /// Their name for a person.
    pub fn name(self) -> String {
        escape(&self.path().to_string_lossy())
    }

    /// Whether their name is free: asked before the work whose result is shown.
    ///
    /// # Errors
    /// Those of [`files::require_free`].
    pub fn is_free(self) -> Result<(), Error> {
        files::require_free(self.path())
    }

    fn path(self) -> &'a Path {
        match self {
            Pictures::Png(path) | Pictures::Svg(path) | Pictures::Gif(path, _) => path,
        }
    }
}

fn fill(
    folder: &Path,
    ending: &str,
    codes: impl Iterator<Item = Result<Symbol, Error>>,
    draw: impl Fn(&Symbol) -> Result<Vec<u8>, Error>,
) -> Result<(), Error> {
    let name = escape(&folder.to_string_lossy());
    std::fs::create_dir(folder).map_err(|source| {
        let is_taken = source.kind() == std::io::ErrorKind::AlreadyExists;
        if is_taken { Error::Exists(name) } else { Error::Write { name, source } }
    })?;
    for (number, code) in (1_u32..).zip(codes) {
        files::write_new(&folder.join(format!("{number:04}.{ending}")), &draw(&code?)?, 0o644)?;
    }
    Ok(())
}
