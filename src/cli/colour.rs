//! The colours of pictures: a ramp for magnitudes that also gets lighter, and two for what is no finite number.

/// Red, green and blue.
pub(crate) type Rgb = [u8; 3];

pub(crate) const NAN: Rgb = [215, 25, 30];
pub(crate) const INFINITE: Rgb = [255, 0, 255];

/// From nothing to the largest.
const RAMP: [Rgb; 5] = [[20, 16, 60], [52, 64, 145], [32, 135, 140], [110, 195, 90], [250, 230, 60]];

/// The colour of a share of the largest magnitude, from 0 to 1.
pub(crate) fn of_share(share: f64) -> Rgb {
    let place = share.clamp(0.0, 1.0) * (RAMP.len() - 1) as f64;
    let below = (place as usize).min(RAMP.len() - 2);
    let way = place - below as f64;
    let [from, to] = [RAMP[below], RAMP[below + 1]];
    [0, 1, 2].map(|i| (f64::from(from[i]) + way * (f64::from(to[i]) - f64::from(from[i]))).round() as u8)
}

/// What share of `largest` a magnitude is; 0 where all are 0.
pub(crate) fn share(magnitude: f64, largest: f64) -> f64 {
    if largest > 0.0 { (magnitude / largest).min(1.0) } else { 0.0 }
}

/// The nearest of a terminal's 256 colours: of its cube of 6 x 6 x 6.
pub(crate) fn of_256(colour: Rgb) -> u8 {
    const LEVELS: [i32; 6] = [0, 95, 135, 175, 215, 255];
    let level = |of: u8| {
        let nearest = (0..6u8).min_by_key(|&level| (LEVELS[usize::from(level)] - i32::from(of)).abs());
        nearest.unwrap_or_default()
    };
    16 + 36 * level(colour[0]) + 6 * level(colour[1]) + level(colour[2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_lighter() {
        let light = |[r, g, b]: Rgb| 0.2126 * f64::from(r) + 0.7152 * f64::from(g) + 0.0722 * f64::from(b);
        let shares = (0..=100).map(|percent| light(of_share(f64::from(percent) / 100.0)));
        assert!(shares.clone().zip(shares.skip(1)).all(|(less, more)| less < more));
        assert_eq!((of_share(0.0), of_share(1.0), of_share(9.0)), (RAMP[0], RAMP[4], RAMP[4]));
    }

    #[test]
    fn shares_are_of_the_largest_and_never_past_it() {
        assert_eq!((share(0.0, 0.0), share(1.0, 4.0), share(4.0, 4.0)), (0.0, 0.25, 1.0));
        let tiny = f64::from_bits(1);
        assert_eq!((share(tiny, tiny), share(f64::MAX, f64::MAX)), (1.0, 1.0));
    }

    #[test]
    fn terminals_have_near_colours() {
        assert_eq!(
            [[0, 0, 0], [255, 255, 255], [255, 0, 255], [95, 135, 175]].map(of_256),
            [16, 231, 201, 67]
        );
    }
}
