//! How badly a symbol is seen.

/// What is between a symbol and the picture of it. Values beyond the limits that are named here are taken as the limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conditions {
    /// Most degrees by which the picture is turned, either way; at most 180.
    pub turn_degrees: f32,
    /// Most of the symbol's side by which each corner is moved in either direction; at most 0.2.
    pub warp: f32,
    /// The light on the darkest corner, as part of that on the brightest; 0.05 to 1.
    pub darkest: f32,
    /// Standard deviation of the blur, in pixels; at most 8.
    pub blur_px: f32,
    /// Standard deviation of the noise, in 255 steps from black to white; at most 64.
    pub noise: f32,
}

impl Conditions {
    /// As good as a picture can be.
    pub fn perfect() -> Self {
        Self { turn_degrees: 0.0, warp: 0.0, darkest: 1.0, blur_px: 0.0, noise: 0.0 }
    }

    /// A camera on a stand: turned by up to 3°, blur of 0.6 pixels, noise of 3.
    pub fn easy() -> Self {
        Self { turn_degrees: 3.0, blur_px: 0.6, noise: 3.0, ..Self::perfect() }
    }

    /// A phone in a hand: turned by up to 15°, corners moved by up to 5%, light from 55% to 100%, noise of 6; blur as on a
    /// stand.
    pub fn hand_held() -> Self {
        Self { turn_degrees: 15.0, warp: 0.05, darkest: 0.55, noise: 6.0, ..Self::easy() }
    }

    /// A poor camera in a hurry: turned by up to 40°, corners moved by up to 9%, light from 35% to 100%, blur of 1.1 pixels,
    /// noise of 10.
    pub fn hard() -> Self {
        Self { turn_degrees: 40.0, warp: 0.09, darkest: 0.35, blur_px: 1.1, noise: 10.0 }
    }

    /// Within the limits; what is no number is taken as the lower limit.
    pub(super) fn limited(self) -> Self {
        Self {
            turn_degrees: within(self.turn_degrees, 0.0, 180.0),
            warp: within(self.warp, 0.0, 0.2),
            darkest: within(self.darkest, 0.05, 1.0),
            blur_px: within(self.blur_px, 0.0, 8.0),
            noise: within(self.noise, 0.0, 64.0),
        }
    }
}

fn within(value: f32, least: f32, most: f32) -> f32 {
    // `max` gives the other one for what is no number.
    value.max(least).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold() {
        let wild = Conditions {
            turn_degrees: -1.0,
            warp: 1e30,
            darkest: f32::NAN,
            blur_px: f32::INFINITY,
            noise: f32::NEG_INFINITY,
        };
        let limited = Conditions { turn_degrees: 0.0, warp: 0.2, darkest: 0.05, blur_px: 8.0, noise: 0.0 };
        assert_eq!(wild.limited(), limited);
        assert_eq!(Conditions::hard().limited(), Conditions::hard());
    }
}
