//! Blur.

/// Blurs a plane of that width by a Gaussian of that standard deviation, in pixels. At the edges the last pixel goes on.
pub(super) fn blur(plane: &mut [f32], width: usize, deviation: f32) {
    let kernel = kernel(deviation);
    let reach = kernel.len() / 2;
    if reach == 0 || width == 0 {
        return;
    }
    let mut padded = Vec::new();
    for row in plane.chunks_exact_mut(width) {
        let (Some(first), Some(last)) = (row.first().copied(), row.last().copied()) else { return };
        padded.clear();
        padded.extend(std::iter::repeat_n(first, reach));
        padded.extend_from_slice(row);
        padded.extend(std::iter::repeat_n(last, reach));
        row.fill(0.0);
        for (at, weight) in kernel.iter().enumerate() {
            add(row, padded.get(at..).unwrap_or_default(), *weight);
        }
    }
    let rows = plane.len().checked_div(width).unwrap_or_default();
    let before = plane.to_vec();
    for (y, row) in plane.chunks_exact_mut(width).enumerate() {
        row.fill(0.0);
        for (at, weight) in kernel.iter().enumerate() {
            let from = y.saturating_add(at).saturating_sub(reach).min(rows.saturating_sub(1));
            add(row, before.get(from.saturating_mul(width)..).unwrap_or_default(), *weight);
        }
    }
}

fn add(to: &mut [f32], from: &[f32], weight: f32) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += from * weight;
    }
}

/// Weights that add up to 1, as far as three deviations; of one weight where there is no blur.
fn kernel(deviation: f32) -> Vec<f32> {
    if deviation < 0.05 {
        return vec![1.0];
    }
    let reach = (deviation * 3.0).ceil() as i16;
    let weight = |at: i16| {
        let distance = f32::from(at) / deviation;
        (-distance * distance / 2.0).exp()
    };
    let sum: f32 = (reach.saturating_neg()..=reach).map(weight).sum();
    (reach.saturating_neg()..=reach).map(|at| weight(at) / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn light_spreads_evenly_and_none_is_lost() {
        let mut plane = vec![0.0; 21 * 21];
        plane[10 * 21 + 10] = 1_000.0;
        blur(&mut plane, 21, 1.1);
        assert!((plane.iter().sum::<f32>() - 1_000.0).abs() < 0.5);
        let spread = |step: usize| {
            let moment = |at: usize| plane[at] * ((at / step % 21) as f32 - 10.0).powi(2);
            (0..plane.len()).map(moment).sum::<f32>() / 1_000.0
        };
        // The variance, in either direction; the tails beyond three deviations are cut.
        assert!((spread(1) - 1.21).abs() < 0.05 && (spread(21) - 1.21).abs() < 0.05);
    }

    #[test]
    fn without_blur_and_without_pixels_nothing_changes() {
        let mut plane = vec![1.0, 2.0, 3.0, 4.0];
        blur(&mut plane, 2, 0.0);
        blur(&mut plane, 0, 1.0);
        assert_eq!(plane.iter().map(|value| *value as u8).collect::<Vec<_>>(), [1, 2, 3, 4]);
        blur(&mut [], 5, 1.0);
    }
}
