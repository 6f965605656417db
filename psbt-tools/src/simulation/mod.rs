//! A simulated display and the camera in front of it: for benches, tests and the demo, where nobody holds a camera.
//!
//! The model of one exposure, in this order. The display shows a symbol with four light modules around it, or
//! a picture of one; everything around is darker clutter. The camera sees it turned, in perspective (each corner moved on its own), as large as fits
//! into view at 80 to 95%, anywhere in view. Each pixel is the mean of four points. The lens blurs (Gaussian). The light
//! falls evenly from full to the darkest at the other side, in any direction. The sensor adds noise (close to Gaussian)
//! to every pixel and rounds to eight bits. A [`Scene`] may be torn (a rolling shutter met a change: the upper rows show
//! one symbol, the lower rows the next) or blended (the display was fading from one to the next).
//!
//! Everything follows from the seed: the same seed gives the same bytes. Nothing here is fit for secrets.
// A picture is made of fractions; no amount ever comes near. Casts of floats to integers saturate.
#![allow(clippy::float_arithmetic, clippy::cast_possible_truncation)]

mod camera;
mod conditions;
mod lens;
mod pose;
mod random;
mod scene;
mod screen;
mod sensor;
mod timeline;
mod y4m;

pub use camera::{Exposure, MAX_SIDE, SimulatedCamera};
pub use conditions::Conditions;
pub use scene::Scene;
pub use screen::Screen;
pub use timeline::{Moment, Shown, Timeline, Timing};
pub use y4m::Y4m;
