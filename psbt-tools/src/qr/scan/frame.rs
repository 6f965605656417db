//! One frame of whatever format.

use crate::qr::fault::Fault;
use crate::qr::payload::{Format, Kind};
use crate::qr::{MAX_FRAME_CHARS, bbqr, specter, still, ur};

/// A frame that was read.
pub(super) enum Frame<'a> {
    /// A part of a UR.
    Ur(ur::Type, ur::Part),
    /// A whole UR.
    WholeUr(ur::Type, Vec<u8>),
    /// A part of a BBQr.
    Bbqr(bbqr::Frame),
    /// How many parts there are, which one this is (from 0), its piece.
    Specter(usize, usize, &'a str),
    /// A code that holds all.
    Still(Format, Kind, Vec<u8>),
}

/// Reads the text of a frame by how it begins.
pub(super) fn read(text: &str) -> Result<Frame<'_>, Fault> {
    if text.len() > MAX_FRAME_CHARS {
        return Err(Fault::FrameTooLong(text.len()));
    }
    if let Some(frame) = ur::parse(text) {
        return frame.map(|frame| match frame {
            ur::Frame::Whole(ty, message) => Frame::WholeUr(ty, message),
            ur::Frame::Part(ty, part) => Frame::Ur(ty, part),
        });
    }
    if let Some(frame) = bbqr::parse(text) {
        return frame.map(Frame::Bbqr);
    }
    if let Some(frame) = specter::parse(text) {
        return frame.map(|(parts, number, piece)| Frame::Specter(parts, number, piece));
    }
    let (format, kind, bytes) = still::read(text).ok_or(Fault::Foreign)?;
    Ok(Frame::Still(format, kind, bytes))
}
