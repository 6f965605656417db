//! What is shown across the gap: QR symbols of frames, in a terminal, as pictures or as one moving picture.
//!
//! Every symbol is read back by another program's decoder before it is seen or written: nothing wrong is ever shown.

mod content;
mod form;
mod gif;
mod live;
mod pictures;
mod player;
mod png;
mod svg;
mod symbol;
mod terminal;
mod to;

pub use content::Content;
pub use form::{Codes, Form};
pub use gif::gif;
pub use live::live;
pub use pictures::Pictures;
pub use player::{DEFAULT_FRAMES_PER_SECOND, MAX_FRAMES_PER_SECOND};
pub use png::png;
pub use svg::svg;
pub use symbol::Symbol;
pub use to::{Shown, To, parse_fps, parse_version};

/// The version of symbols that is shown unless another is asked for: common cameras read it at 480 lines.
pub const DEFAULT_VERSION: u8 = 20;

/// Light modules around a symbol in pictures (ISO 18004 asks for four).
const QUIET: usize = 4;

/// Pixels of a module's side in pictures.
const SCALE: usize = 4;
